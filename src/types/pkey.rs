//! `PKey`: the partition that a packet on InfiniBand belongs to.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// A full member may talk to all of its partition, others only to full members (IBTA 10.9.1.1).
const FULL: u16 = 0x8000;

/// The number of a partition, 15 bits that are not all zero. Whether its holder is a full member is
/// no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PKey(u16);

impl PKey {
    /// The partition of a P_Key, with the member bit or without; none for 0.
    pub fn new(value: u16) -> Option<Self> {
        let number = value & !FULL;
        (number != 0).then_some(Self(number))
    }

    /// As a full member has it.
    pub const fn full(self) -> u16 {
        self.0 | FULL
    }
}

impl fmt::Display for PKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.full())
    }
}

impl FromStr for PKey {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
        let number = match digits {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u16::from_str_radix(digits, 16).ok()
            }
            None if word.bytes().all(|b| b.is_ascii_digit()) => word.parse().ok(),
            _ => None,
        };
        let rule = "0x0001 to 0x7fff, or with the bit of a full member 0x8001 to 0xffff";
        number
            .and_then(Self::new)
            .ok_or_else(|| Invalid::new(word, "P_Key", rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions() {
        for (word, shown) in [
            ("0x8001", "0x8001"),
            ("0x1", "0x8001"),
            ("1", "0x8001"),
            ("0x7FFF", "0xffff"),
            ("65535", "0xffff"),
        ] {
            assert_eq!(word.parse::<PKey>().unwrap().to_string(), shown, "{word}");
        }
        for word in [
            "", "0", "0x", "0x8000", "0x10000", "70000", "-1", "+1", "0x+1", "all",
        ] {
            assert!(word.parse::<PKey>().is_err(), "{word}");
        }
    }
}

//! `Mac`: a six-byte Ethernet address.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// An Ethernet hardware address, bytes in the order they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac([u8; 6]);

impl Mac {
    /// From six bytes in the order they are written.
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// The six bytes.
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// No byte is set: the address has not been assigned.
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }

    /// The address of a group rather than of one interface: the lowest bit of the first byte.
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// The address as a number, the first byte most significant.
    pub fn value(self) -> u64 {
        self.0
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// The address of a number; its upper 16 bits are left out.
    pub const fn from_value(value: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = value.to_be_bytes();
        Self([a, b, c, d, e, f])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.0;
        write!(
            f,
            "{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}",
            b[0], b[1], b[2], b[3], b[4], b[5]
        )
    }
}

impl FromStr for Mac {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let bad = || Invalid::new(word, "MAC address", "write six bytes, as 02:00:00:00:00:01");
        let mut bytes = [0; 6];
        let mut groups = word.split(':');
        for byte in &mut bytes {
            let group = groups.next().ok_or_else(bad)?;
            if group.len() != 2 || !group.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(bad());
            }
            *byte = u8::from_str_radix(group, 16).map_err(|_| bad())?;
        }
        match groups.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_pairs_and_nothing_else() {
        let mac: Mac = "02:00:AB:00:00:01".parse().unwrap();
        assert_eq!(mac.to_string(), "02:00:ab:00:00:01");
        for word in [
            "",
            "02:00:ab:00:00",
            "02:00:ab:00:00:01:02",
            "2:0:ab:0:0:1",
            "zz:00:ab:00:00:01",
        ] {
            assert!(word.parse::<Mac>().is_err(), "{word}");
        }
    }
}

//! `Guid`: the 64-bit EUI-64 that names an RDMA node or port, in all its spellings.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// A node, port or system image GUID.
///
/// The number is the eight bytes read most significant first, as the kernel keeps it in host
/// order in `RDMA_NLDEV_ATTR_NODE_GUID` and in `struct ifla_vf_guid` (`uapi/linux/if_link.h`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid(u64);

impl Guid {
    /// From the number in host order.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The number in host order.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// From eight bytes in the order they are written.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }

    /// A GUID a device can be given: neither all zero (unset) nor all ones (reset marker).
    pub const fn is_assignable(self) -> bool {
        self.0 != 0 && self.0 != u64::MAX
    }

    /// The address of a group rather than of one device: the lowest bit of the first byte is set
    /// (EUI-64).
    pub const fn is_group(self) -> bool {
        self.0 >> 56 & 1 == 1
    }

    /// The form of iproute2's `rdma` and of sysfs: `0011:2233:4455:6677`.
    pub fn quads(self) -> String {
        // Two of them stand in each line of a listing, where formatting costs ten times as much.
        let mut text = [b':'; 19];
        for at in 0..16 {
            let digit = self.0 >> (60 - 4 * at) & 0xf;
            text[at + at / 4] = b"0123456789abcdef"[digit as usize];
        }
        str::from_utf8(&text).unwrap_or_default().to_owned()
    }
}

impl fmt::Display for Guid {
    /// The form of `ip link`: `00:11:22:33:44:55:66:77`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.0.to_be_bytes();
        write!(
            f,
            "{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}",
            b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]
        )
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}

impl FromStr for Guid {
    type Err = Invalid;

    /// Eight bytes, four quads, or sixteen digits with or without `0x`; any case.
    fn from_str(word: &str) -> Result<Self, Invalid> {
        let bad = || {
            Invalid::new(
                word,
                "GUID",
                "write 16 hex digits, as 00:11:22:33:44:55:66:77, 0011:2233:4455:6677 or 0x0011223344556677",
            )
        };
        let digits = if word.contains(':') {
            let groups: Vec<&str> = word.split(':').collect();
            let width = match groups.len() {
                8 => 2,
                4 => 4,
                _ => return Err(bad()),
            };
            if groups.iter().any(|g| g.len() != width) {
                return Err(bad());
            }
            groups.concat()
        } else {
            word.strip_prefix("0x")
                .or_else(|| word.strip_prefix("0X"))
                .unwrap_or(word)
                .to_owned()
        };
        if digits.len() != 16 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        u64::from_str_radix(&digits, 16)
            .map(Self)
            .map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_the_same_guid() {
        for word in [
            "00:11:22:33:44:55:66:77",
            "0011:2233:4455:6677",
            "0x0011223344556677",
            "0X0011223344556677",
            "0011223344556677",
        ] {
            let guid: Guid = word.parse().unwrap();
            assert_eq!(guid.value(), 0x0011_2233_4455_6677, "{word}");
            assert_eq!(guid.to_string(), "00:11:22:33:44:55:66:77");
            assert_eq!(guid.quads(), "0011:2233:4455:6677");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for word in [
            "",
            "0x",
            "11223344556677",
            "00:11:22:33:44:55:66",
            "00:11:22:33:44:55:66:7",
            "0:011:22:33:44:55:66:77",
            "00:11:22:33:44:55:66:77:",
            "00-11-22-33-44-55-66-77",
            "0011:2233:4455:66g7",
            "+011223344556677",
            "٠٠:11:22:33:44:55:66:77",
        ] {
            assert!(word.parse::<Guid>().is_err(), "{word}");
        }
    }
}

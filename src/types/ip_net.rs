//! `IpNet`: an address together with the length of its network's prefix.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::Invalid;

/// An address of an interface, `10.0.0.2/24`, or the destination of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpNet {
    address: IpAddr,
    prefix: u8,
}

impl IpNet {
    /// An address with this many bits of network; `None` for more bits than it has.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= most).then_some(Self { address, prefix })
    }

    /// The address, its host part included.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// Bits of the network's part: at most 32, or 128 for IPv6.
    pub const fn prefix(self) -> u8 {
        self.prefix
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for IpNet {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let bad = || {
            let rule = "write ADDRESS/PREFIX, as 10.0.0.2/24 or fd00::2/64";
            Invalid::new(word, "address", rule)
        };
        let (address, prefix) = word.split_once('/').ok_or_else(bad)?;
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let digits = prefix.len() <= 3 && prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|_| digits);
        prefix
            .and_then(|prefix| Self::new(address, prefix))
            .ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_their_host_part() {
        for word in [
            "10.0.0.2/24",
            "fd00::2/64",
            "0.0.0.0/0",
            "::/0",
            "10.0.0.2/32",
        ] {
            assert_eq!(word.parse::<IpNet>().unwrap().to_string(), word);
        }
        let net: IpNet = "fd00:0::2/128".parse().unwrap();
        assert_eq!(
            (net.to_string().as_str(), net.prefix()),
            ("fd00::2/128", 128)
        );
    }

    #[test]
    fn what_is_none() {
        for word in [
            "",
            "10.0.0.2",
            "10.0.0.2/33",
            "10.0.0.2/",
            "10.0.0.2/+1",
            "::/129",
            "x/1",
            "10.0.0/8",
        ] {
            assert!(word.parse::<IpNet>().is_err(), "{word}");
        }
    }
}

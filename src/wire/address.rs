//! `Address`: one address of a network interface, as RTM_NEWADDR shows it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Attrs, DecodeError, Request};

const RTM_GETADDR: u16 = 22;
/// Bytes of `struct ifaddrmsg` (`uapi/linux/if_addr.h`).
const IFADDRMSG_LEN: usize = 8;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Index of the interface.
    pub index: u32,
    /// The address; of a point-to-point link, this end's.
    pub ip: IpAddr,
    /// Bits of its network.
    pub prefix: u8,
}

impl Address {
    /// Reads one RTM_NEWADDR; `None` for families that are not IP.
    ///
    /// # Errors
    /// [`DecodeError`] when an IP address has none.
    pub fn decode(body: &[u8]) -> Result<Option<Self>, DecodeError> {
        let fixed: &[u8; IFADDRMSG_LEN] = body
            .first_chunk()
            .ok_or(DecodeError::Truncated("ifaddrmsg"))?;
        let [family, prefix, _, _, a, b, c, d] = *fixed;
        let attrs = Attrs::new(&body[IFADDRMSG_LEN..]);
        // IFA_ADDRESS is the other end where there is one, and IFA_LOCAL is absent with IPv6.
        let value = attrs.find(IFA_LOCAL).or_else(|| attrs.find(IFA_ADDRESS));
        let value = value.ok_or(DecodeError::Missing("IFA_ADDRESS"))?.value;
        let ip = match family {
            AF_INET => value.first_chunk::<4>().map(|b| Ipv4Addr::from(*b).into()),
            AF_INET6 => value.first_chunk::<16>().map(|b| Ipv6Addr::from(*b).into()),
            _ => return Ok(None),
        };
        Ok(Some(Self {
            index: u32::from_ne_bytes([a, b, c, d]),
            ip: ip.ok_or(DecodeError::Missing("IFA_ADDRESS"))?,
            prefix,
        }))
    }

    /// Whether the kernel gives every interface one of these by itself: `fe80::/10`.
    pub fn is_automatic(&self) -> bool {
        match self.ip {
            IpAddr::V4(_) => false,
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        }
    }
}

/// Lists the addresses of all interfaces of the socket's namespace.
pub fn dump() -> Request {
    Request::dump(RTM_GETADDR).fixed(&[0; IFADDRMSG_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(family: u8, prefix: u8, attrs: &[(u16, &[u8])]) -> Vec<u8> {
        let mut request = Request::new(0).fixed(&[family, prefix, 0, 0, 7, 0, 0, 0]);
        for (id, value) in attrs {
            request = request.bytes(*id, value);
        }
        request.body().to_vec()
    }

    #[test]
    fn both_families_and_both_ends() {
        let ends = message(2, 32, &[(1, &[10, 0, 0, 2]), (2, &[10, 0, 0, 1])]);
        let address = Address::decode(&ends).unwrap().unwrap();
        assert_eq!(
            (address.index, address.ip, address.prefix),
            (7u32.to_le(), "10.0.0.1".parse().unwrap(), 32)
        );
        assert!(!address.is_automatic());
        let mut link_local = [0u8; 16];
        link_local[..2].copy_from_slice(&[0xfe, 0x80]);
        let automatic = message(10, 64, &[(1, &link_local)]);
        assert!(Address::decode(&automatic).unwrap().unwrap().is_automatic());
        let other = message(28, 0, &[(1, &[1])]);
        assert_eq!(Address::decode(&other).unwrap(), None);
        assert!(Address::decode(&message(2, 8, &[])).is_err());
        assert!(Address::decode(&message(10, 8, &[(1, &[1, 2])])).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Address::decode(&bytes);
        }
    }
}

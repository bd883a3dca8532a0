//! Addresses of interfaces: RTM_NEWADDR, RTM_DELADDR and the list of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Attrs, DecodeError, Request};
use crate::types::IpNet;

const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;

/// Bytes of `struct ifaddrmsg` (`uapi/linux/if_addr.h`): family, prefix, flags, scope, u32 index.
const IFADDRMSG_LEN: usize = 8;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_FLAGS: u16 = 8;

/// `IFA_F_TENTATIVE`: duplicate address detection has not ended yet.
const IFA_F_TENTATIVE: u32 = 0x40;
/// `IFA_F_DADFAILED`: another node has the address.
const IFA_F_DADFAILED: u32 = 0x08;

pub(super) const AF_INET: u8 = 2;
pub(super) const AF_INET6: u8 = 10;

/// An address that an interface has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Index of the interface.
    pub index: u32,
    /// The address, of a point-to-point link this end's, and its prefix.
    pub net: IpNet,
    /// Not usable yet: the kernel is still asking whether another node has it.
    pub tentative: bool,
    /// Another node has it.
    pub duplicate: bool,
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
        let [family, prefix, flags, _, a, b, c, d] = *fixed;
        let attrs = Attrs::new(&body[IFADDRMSG_LEN..]);
        // IFA_ADDRESS is the other end where there is one, and IFA_LOCAL is absent with IPv6.
        let value = attrs.find(IFA_LOCAL).or_else(|| attrs.find(IFA_ADDRESS));
        let missing = DecodeError::Missing("IFA_ADDRESS");
        let value = value.ok_or(missing.clone())?.value;
        let address: IpAddr = match family {
            AF_INET => value.first_chunk::<4>().map(|b| Ipv4Addr::from(*b).into()),
            AF_INET6 => value.first_chunk::<16>().map(|b| Ipv6Addr::from(*b).into()),
            _ => return Ok(None),
        }
        .ok_or(missing)?;
        let wide = attrs.find(IFA_FLAGS).and_then(|attr| attr.u32());
        let flags = wide.unwrap_or_else(|| flags.into());
        Ok(Some(Self {
            index: u32::from_ne_bytes([a, b, c, d]),
            net: IpNet::new(address, prefix).ok_or(DecodeError::Missing("prefix length"))?,
            tentative: flags & IFA_F_TENTATIVE != 0,
            duplicate: flags & IFA_F_DADFAILED != 0,
        }))
    }

    /// Whether the kernel gives every interface one of these by itself: `fe80::/10`.
    pub fn is_automatic(&self) -> bool {
        match self.net.address() {
            IpAddr::V4(_) => false,
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        }
    }
}

/// Lists the addresses of all interfaces of the socket's namespace.
pub fn dump() -> Request {
    Request::dump(RTM_GETADDR).fixed(&[0; IFADDRMSG_LEN])
}

/// Gives an interface an address; an IPv4 network of more than two gets its broadcast address.
pub fn add(index: u32, net: IpNet) -> Request {
    let request = message(RTM_NEWADDR, index, net);
    match (net.address(), net.prefix()) {
        (IpAddr::V4(address), prefix @ 0..=30) => {
            let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            let broadcast = Ipv4Addr::from(u32::from(address) | host);
            request.bytes(IFA_BROADCAST, &broadcast.octets())
        }
        _ => request,
    }
}

/// Takes an address from an interface.
pub fn delete(index: u32, net: IpNet) -> Request {
    message(RTM_DELADDR, index, net)
}

fn message(kind: u16, index: u32, net: IpNet) -> Request {
    let mut fixed = [0; IFADDRMSG_LEN];
    fixed[0] = family(net.address());
    fixed[1] = net.prefix();
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    let bytes = octets(net.address());
    Request::new(kind)
        .fixed(&fixed)
        .bytes(IFA_LOCAL, &bytes)
        .bytes(IFA_ADDRESS, &bytes)
}

pub(super) fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    }
}

pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

pub(super) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(bytes).into());
    }
    <[u8; 16]>::try_from(bytes)
        .ok()
        .map(|bytes| Ipv6Addr::from(bytes).into())
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
            (address.index, address.net.to_string().as_str()),
            (7u32.to_le(), "10.0.0.1/32")
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

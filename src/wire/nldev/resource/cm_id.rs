//! `CmId`: a connection of the connection manager as RES_CM_ID_GET shows it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::nldev::attr_ids::*;
use crate::wire::{Attrs, DecodeError};

/// A connection, or what listens for them; an attribute that the kernel did not send is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CmId {
    /// Its number; 0 is valid.
    pub cm_idn: Option<u32>,
    /// Number of its queue pair.
    pub lqpn: Option<u32>,
    /// `enum ib_qp_type` of its queue pair.
    pub qp_type: Option<u8>,
    /// `enum rdma_cm_state`.
    pub state: u8,
    /// Port space, `enum rdma_ucm_port_space`.
    pub port_space: u32,
    /// Its own address.
    pub source: Option<Endpoint>,
    /// The address at the other end.
    pub destination: Option<Endpoint>,
}

/// An IP address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

impl CmId {
    /// Reads the attributes of one of them.
    pub(super) fn decode(attrs: Attrs<'_>) -> Result<Self, DecodeError> {
        let mut cm_id = Self::default();
        let (mut state, mut port_space) = (None, None);
        for attr in attrs {
            match attr.id {
                RDMA_NLDEV_ATTR_RES_CM_IDN => cm_id.cm_idn = attr.u32(),
                RDMA_NLDEV_ATTR_RES_LQPN => cm_id.lqpn = attr.u32(),
                RDMA_NLDEV_ATTR_RES_TYPE => cm_id.qp_type = attr.u8(),
                RDMA_NLDEV_ATTR_RES_STATE => state = attr.u8(),
                RDMA_NLDEV_ATTR_RES_PS => port_space = attr.u32(),
                RDMA_NLDEV_ATTR_RES_SRC_ADDR => cm_id.source = Endpoint::read(attr.value),
                RDMA_NLDEV_ATTR_RES_DST_ADDR => cm_id.destination = Endpoint::read(attr.value),
                _ => {}
            }
        }
        cm_id.state = state.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_STATE"))?;
        cm_id.port_space = port_space.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_PS"))?;
        Ok(cm_id)
    }
}

impl Endpoint {
    /// Reads `struct sockaddr_in` or `struct sockaddr_in6`: the family in host order, the port in
    /// network order, then the address, in IPv6 behind four bytes of flow information.
    pub fn read(sockaddr: &[u8]) -> Option<Self> {
        const AF_INET: u16 = 2;
        const AF_INET6: u16 = 10;
        let family = u16::from_ne_bytes(*sockaddr.first_chunk()?);
        let port = u16::from_be_bytes(*sockaddr.get(2..)?.first_chunk()?);
        let address = match family {
            AF_INET => Ipv4Addr::from(*sockaddr.get(4..)?.first_chunk::<4>()?).into(),
            AF_INET6 => Ipv6Addr::from(*sockaddr.get(8..)?.first_chunk::<16>()?).into(),
            _ => return None,
        };
        Some(Self { address, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families() {
        let v4 = [2, 0, 0x1c, 0x06, 192, 168, 77, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let read = Endpoint::read(&v4).unwrap();
        assert_eq!(
            (read.address.to_string(), read.port),
            ("192.168.77.1".to_owned(), 7174)
        );
        let mut v6 = vec![10, 0, 0, 53, 9, 9, 9, 9];
        v6.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
        let read = Endpoint::read(&v6).unwrap();
        assert_eq!(
            (read.address.to_string(), read.port),
            ("::1".to_owned(), 53)
        );
        assert_eq!(Endpoint::read(&v6[..20]), None);
        assert_eq!(Endpoint::read(&[1, 0, 0, 53, 9, 9, 9, 9]), None);
        assert_eq!(Endpoint::read(&[]), None);
    }
}

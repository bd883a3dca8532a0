//! `Interface`: what RTM_NEWLINK says of where an interface comes from and of its state.

use crate::types::{DeviceId, Mac};
use crate::wire::{Attrs, DecodeError};

/// Bytes of `struct ifinfomsg` (`uapi/linux/rtnetlink.h`).
const IFINFOMSG_LEN: usize = 16;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_OPERSTATE: u16 = 16;
/// Since Linux 5.14.
const IFLA_PARENT_DEV_NAME: u16 = 56;

/// `ARPHRD_ETHER` and `ARPHRD_INFINIBAND` (`uapi/linux/if_arp.h`).
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_INFINIBAND: u16 = 32;
/// `IF_OPER_UP` (`uapi/linux/if.h`).
const IF_OPER_UP: u8 = 6;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// Interface index, 1 or more.
    pub index: u32,
    /// Name.
    pub name: String,
    /// It speaks IP over InfiniBand.
    pub is_ipoib: bool,
    /// Address of an Ethernet interface.
    pub mac: Option<Mac>,
    /// The function or auxiliary device it belongs to.
    pub parent: Option<DeviceId>,
    /// It stands on another interface, as a P_Key child or a VLAN does.
    pub is_child: bool,
    /// Packets can pass, as `operstate` in sysfs says.
    pub is_up: bool,
}

impl Interface {
    /// Reads one RTM_NEWLINK.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fixed: &[u8; IFINFOMSG_LEN] = body
            .first_chunk()
            .ok_or(DecodeError::Truncated("ifinfomsg"))?;
        let hardware = u16::from_ne_bytes([fixed[2], fixed[3]]);
        let mut interface = Self {
            index: u32::from_ne_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            is_ipoib: hardware == ARPHRD_INFINIBAND,
            ..Self::default()
        };
        for attr in Attrs::new(&body[IFINFOMSG_LEN..]) {
            match attr.id {
                IFLA_IFNAME => interface.name = attr.text(),
                IFLA_ADDRESS if hardware == ARPHRD_ETHER => {
                    interface.mac = attr.value.try_into().ok().map(Mac::new)
                }
                IFLA_LINK => interface.is_child = attr.u32() != Some(interface.index),
                IFLA_OPERSTATE => interface.is_up = attr.u8() == Some(IF_OPER_UP),
                IFLA_PARENT_DEV_NAME => interface.parent = attr.text().parse().ok(),
                _ => {}
            }
        }
        Ok(interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Request;

    fn message(hardware: u16) -> Request {
        let mut fixed = [0; IFINFOMSG_LEN];
        fixed[2..4].copy_from_slice(&hardware.to_ne_bytes());
        fixed[4..8].copy_from_slice(&7u32.to_ne_bytes());
        Request::new(16).fixed(&fixed)
    }

    #[test]
    fn of_a_function_and_of_nothing() {
        let body = message(ARPHRD_ETHER)
            .text(IFLA_IFNAME, "eth3")
            .bytes(IFLA_ADDRESS, &[2, 0, 0, 0, 0, 1])
            .u8(IFLA_OPERSTATE, 6)
            .text(IFLA_PARENT_DEV_NAME, "0000:01:10.2");
        let eth = Interface::decode(body.body()).unwrap();
        assert_eq!((eth.index, eth.name.as_str(), eth.is_up), (7, "eth3", true));
        assert_eq!(eth.mac, Some(Mac::new([2, 0, 0, 0, 0, 1])));
        assert_eq!(eth.parent, "0000:01:10.2".parse().ok());
        let body = message(ARPHRD_INFINIBAND)
            .bytes(IFLA_ADDRESS, &[0; 20])
            .u32(IFLA_LINK, 3)
            .text(IFLA_PARENT_DEV_NAME, "../../x");
        let child = Interface::decode(body.body()).unwrap();
        assert!(child.is_child && child.is_ipoib && !child.is_up);
        assert_eq!((child.mac, child.parent), (None, None));
        let itself = message(1).u32(IFLA_LINK, 7);
        assert!(!Interface::decode(itself.body()).unwrap().is_child);
        assert!(Interface::decode(&[0; 15]).is_err());
    }
}

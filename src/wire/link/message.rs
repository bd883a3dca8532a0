//! `Link`: RTM_NEWLINK answers and the requests for them.

use super::vf::Vf;
use crate::wire::{Attrs, DecodeError, Request};

const RTM_GETLINK: u16 = 18;
/// Bytes of `struct ifinfomsg` (`uapi/linux/rtnetlink.h`).
const IFINFOMSG_LEN: usize = 16;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_NUM_VF: u16 = 21;
const IFLA_VFINFO_LIST: u16 = 22;
const IFLA_EXT_MASK: u16 = 29;

/// `RTEXT_FILTER_VF`: send the VF list.
const RTEXT_FILTER_VF: u32 = 1;
/// `RTEXT_FILTER_SKIP_STATS`: leave counters out; they can push the VF list over 64 KiB.
const RTEXT_FILTER_SKIP_STATS: u32 = 8;

/// What the kernel says of one network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Interface index, 1 or more.
    pub index: u32,
    /// `ARPHRD_*`: 1 Ethernet, 32 InfiniBand.
    pub hardware: u16,
    /// Name.
    pub name: String,
    /// Hardware address: 6 bytes, or 20 on InfiniBand with the port GUID in the last 8.
    pub address: Vec<u8>,
    /// Number of VFs the driver reports.
    pub num_vf: Option<u32>,
    /// The VFs, when they were asked for; may be shorter than `num_vf` says.
    pub vfs: Vec<Vf>,
}

impl Link {
    /// Reads one RTM_NEWLINK.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fixed: &[u8; IFINFOMSG_LEN] = body
            .first_chunk()
            .ok_or(DecodeError::Truncated("ifinfomsg"))?;
        let mut link = Self {
            hardware: u16::from_ne_bytes([fixed[2], fixed[3]]),
            index: u32::from_ne_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ..Self::default()
        };
        for attr in Attrs::new(&body[IFINFOMSG_LEN..]) {
            match attr.id {
                IFLA_IFNAME => link.name = attr.text(),
                IFLA_ADDRESS => link.address = attr.value.to_vec(),
                IFLA_NUM_VF => link.num_vf = attr.u32(),
                IFLA_VFINFO_LIST => {
                    link.vfs = attr
                        .nested()
                        .filter_map(|vf| Vf::decode(vf.nested()))
                        .collect()
                }
                _ => {}
            }
        }
        Ok(link)
    }
}

/// Asks for the interface with this index, with its VFs if wanted.
pub fn get(index: u32, with_vfs: bool) -> Request {
    let mut fixed = [0; IFINFOMSG_LEN];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    Request::new(RTM_GETLINK)
        .fixed(&fixed)
        .u32(IFLA_EXT_MASK, mask(with_vfs))
}

/// Lists the interfaces of the socket's namespace, with their VFs if wanted.
pub fn dump(with_vfs: bool) -> Request {
    Request::dump(RTM_GETLINK)
        .fixed(&[0; IFINFOMSG_LEN])
        .u32(IFLA_EXT_MASK, mask(with_vfs))
}

fn mask(with_vfs: bool) -> u32 {
    RTEXT_FILTER_SKIP_STATS | if with_vfs { RTEXT_FILTER_VF } else { 0 }
}

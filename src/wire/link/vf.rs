//! `Vf`: one entry of IFLA_VFINFO_LIST, as far as it is read.

use crate::types::{Guid, LinkPolicy, Mac};
use crate::wire::Attrs;

const IFLA_VF_MAC: u16 = 1;
const IFLA_VF_LINK_STATE: u16 = 5;
const IFLA_VF_IB_NODE_GUID: u16 = 10;
const IFLA_VF_IB_PORT_GUID: u16 = 11;

/// Bytes of `struct ifla_vf_guid` on 64-bit: u32 vf, 4 bytes of padding, u64 guid.
const VF_GUID_LEN: usize = 16;

/// What the PF reports of one VF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vf {
    /// Index of the VF on its PF.
    pub index: u32,
    /// Administrative address of an Ethernet VF; on IPoIB it is the PF's own and means nothing.
    pub mac: Option<Mac>,
    /// What its link follows.
    pub state: Option<LinkPolicy>,
    /// Node GUID set through the PF.
    pub node_guid: Option<Guid>,
    /// Port GUID set through the PF.
    pub port_guid: Option<Guid>,
}

impl Vf {
    /// Reads one IFLA_VF_INFO; `None` when no attribute in it names a VF.
    pub fn decode(attrs: Attrs<'_>) -> Option<Self> {
        let mut index = None;
        let mut vf = Self::default();
        for attr in attrs {
            let number = attr.u32();
            match attr.id {
                // struct ifla_vf_mac: u32 vf, u8 mac[32]
                IFLA_VF_MAC => {
                    vf.mac = attr
                        .value
                        .get(4..10)
                        .and_then(|b| b.try_into().ok())
                        .map(Mac::new)
                }
                // struct ifla_vf_link_state: u32 vf, u32 link_state
                IFLA_VF_LINK_STATE => {
                    let number = attr.value.get(4..8).and_then(|b| b.try_into().ok());
                    vf.state = number
                        .map(u32::from_ne_bytes)
                        .and_then(LinkPolicy::from_number)
                }
                IFLA_VF_IB_NODE_GUID => vf.node_guid = guid(attr.value),
                IFLA_VF_IB_PORT_GUID => vf.port_guid = guid(attr.value),
                _ => continue,
            }
            index = index.or(number);
        }
        vf.index = index?;
        Some(vf)
    }
}

/// `struct ifla_vf_guid` (`uapi/linux/if_link.h`): the GUID stands in host order behind padding.
fn guid(value: &[u8]) -> Option<Guid> {
    let fixed: &[u8; VF_GUID_LEN] = value.first_chunk()?;
    Some(Guid::new(u64::from_ne_bytes(*fixed.last_chunk()?)))
}

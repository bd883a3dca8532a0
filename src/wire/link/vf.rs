//! `Vf`: one entry of IFLA_VFINFO_LIST, and `VfSetting`: one of its properties to be set.

use crate::types::{Guid, LinkPolicy, Mac, Vlan, VlanProto};
use crate::wire::{Attrs, Request};

const IFLA_VF_MAC: u16 = 1;
const IFLA_VF_VLAN: u16 = 2;
const IFLA_VF_TX_RATE: u16 = 3;
const IFLA_VF_SPOOFCHK: u16 = 4;
const IFLA_VF_LINK_STATE: u16 = 5;
const IFLA_VF_RATE: u16 = 6;
const IFLA_VF_RSS_QUERY_EN: u16 = 7;
const IFLA_VF_TRUST: u16 = 9;
const IFLA_VF_IB_NODE_GUID: u16 = 10;
const IFLA_VF_IB_PORT_GUID: u16 = 11;
const IFLA_VF_VLAN_LIST: u16 = 12;
const IFLA_VF_BROADCAST: u16 = 13;

const IFLA_VF_VLAN_INFO: u16 = 1;

/// Bytes of `struct ifla_vf_mac`: u32 vf, u8 mac[32].
const VF_MAC_LEN: usize = 36;

/// Bytes of `struct ifla_vf_guid` on 64-bit: u32 vf, 4 bytes of padding, u64 guid.
const VF_GUID_LEN: usize = 16;

/// What the PF reports of one VF; what its driver does not tell is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vf {
    /// Index of the VF on its PF.
    pub index: u32,
    /// Administrative address of an Ethernet VF; on IPoIB it is the PF's own and means nothing.
    pub mac: Option<Mac>,
    /// Broadcast address of an Ethernet VF.
    pub broadcast: Option<Mac>,
    /// Tag around its frames.
    pub vlan: Option<Vlan>,
    /// Limits of what it sends.
    pub rates: Option<Rates>,
    /// Frames with another source address than its own are dropped.
    pub spoofchk: Option<bool>,
    /// What its link follows.
    pub state: Option<LinkPolicy>,
    /// It may read the hash key and the table of receive-side scaling.
    pub query_rss: Option<bool>,
    /// It may change what otherwise only the PF may.
    pub trust: Option<bool>,
    /// Node GUID set through the PF.
    pub node_guid: Option<Guid>,
    /// Port GUID set through the PF.
    pub port_guid: Option<Guid>,
}

/// The least and the most that a VF may send, in Mbit/s; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rates {
    /// Guaranteed.
    pub min: u32,
    /// Allowed.
    pub max: u32,
}

impl Vf {
    /// Reads one IFLA_VF_INFO; `None` when no attribute in it names a VF.
    pub fn decode(attrs: Attrs<'_>) -> Option<Self> {
        let mut index = None;
        let mut vf = Self::default();
        for attr in attrs {
            // Every structure begins with the index, then its numbers.
            let number = |at: usize| {
                let bytes = attr.value.get(4 * at..)?.first_chunk()?;
                Some(u32::from_ne_bytes(*bytes))
            };
            match attr.id {
                IFLA_VF_MAC => vf.mac = mac(attr.value.get(4..)),
                IFLA_VF_VLAN => {
                    // Newer kernels send the list too, which tells the protocol.
                    let vlan = vlan(number(1), number(2), VlanProto::default());
                    vf.vlan = vf.vlan.or(vlan);
                }
                // The maximum alone, for readers from before IFLA_VF_RATE.
                IFLA_VF_TX_RATE => {}
                IFLA_VF_SPOOFCHK => vf.spoofchk = number(1).and_then(switch),
                IFLA_VF_LINK_STATE => vf.state = number(1).and_then(LinkPolicy::from_number),
                IFLA_VF_RATE => {
                    let rates = number(1).zip(number(2));
                    vf.rates = rates.map(|(min, max)| Rates { min, max });
                }
                IFLA_VF_RSS_QUERY_EN => vf.query_rss = number(1).and_then(switch),
                IFLA_VF_TRUST => vf.trust = number(1).and_then(switch),
                IFLA_VF_IB_NODE_GUID => vf.node_guid = guid(attr.value),
                IFLA_VF_IB_PORT_GUID => vf.port_guid = guid(attr.value),
                IFLA_VF_VLAN_LIST => {
                    vf.vlan = listed_vlan(attr.nested()).or(vf.vlan);
                    continue;
                }
                IFLA_VF_BROADCAST => {
                    vf.broadcast = mac(Some(attr.value));
                    continue;
                }
                _ => continue,
            }
            index = index.or(number(0));
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

fn mac(value: Option<&[u8]>) -> Option<Mac> {
    value?.first_chunk().copied().map(Mac::new)
}

/// A switch; -1 is a driver that does not tell (`rtnl_fill_vfinfo`, net/core/rtnetlink.c).
fn switch(number: u32) -> Option<bool> {
    (number != u32::MAX).then_some(number != 0)
}

fn vlan(id: Option<u32>, qos: Option<u32>, proto: VlanProto) -> Option<Vlan> {
    Some(Vlan {
        id: id?.try_into().ok()?,
        qos: qos?.try_into().ok()?,
        proto,
    })
}

/// `struct ifla_vf_vlan_info`: u32 vf, u32 vlan, u32 qos, be16 proto, 2 bytes of padding. The
/// kernel sends one entry (`MAX_VLAN_LIST_LEN`).
fn listed_vlan(list: Attrs<'_>) -> Option<Vlan> {
    let fixed: &[u8; 14] = list.find(IFLA_VF_VLAN_INFO)?.value.first_chunk()?;
    let [_, _, _, _, id @ .., q0, q1, q2, q3, p0, p1] = *fixed;
    let proto = VlanProto::from_ether_type(u16::from_be_bytes([p0, p1]))?;
    let qos = u32::from_ne_bytes([q0, q1, q2, q3]);
    vlan(Some(u32::from_ne_bytes(id)), Some(qos), proto)
}

/// One property of a VF. Each goes in a message of its own: the kernel reads no further than the
/// node GUID of an IFLA_VF_INFO (`do_setvfinfo`, net/core/rtnetlink.c), and what it refuses is
/// then known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VfSetting {
    /// Node GUID of an InfiniBand VF.
    NodeGuid(Guid),
    /// Port GUID of an InfiniBand VF.
    PortGuid(Guid),
    /// Address of an Ethernet VF.
    Mac(Mac),
    /// Tag around its frames.
    Vlan(Vlan),
    /// Both limits; the kernel has no message for one of them.
    Rates(Rates),
    /// Whether foreign source addresses are dropped.
    Spoofchk(bool),
    /// Whether it may change what otherwise only the PF may.
    Trust(bool),
    /// Whether it may read the receive-side scaling.
    QueryRss(bool),
    /// What its link follows.
    State(LinkPolicy),
}

impl VfSetting {
    /// The attribute of IFLA_VF_INFO for the VF with this index.
    pub(super) fn write(self, vf: u32, info: Request) -> Request {
        let numbers = |numbers: &[u32]| -> Vec<u8> {
            let all = [vf].into_iter().chain(numbers.iter().copied());
            all.flat_map(u32::to_ne_bytes).collect()
        };
        match self {
            Self::NodeGuid(guid) => info.bytes(IFLA_VF_IB_NODE_GUID, &vf_guid(vf, guid)),
            Self::PortGuid(guid) => info.bytes(IFLA_VF_IB_PORT_GUID, &vf_guid(vf, guid)),
            Self::Mac(mac) => {
                let mut value = numbers(&[]);
                value.extend(mac.bytes());
                value.resize(VF_MAC_LEN, 0);
                info.bytes(IFLA_VF_MAC, &value)
            }
            // IFLA_VF_VLAN means 802.1Q, and is what drivers without 802.1ad have always had.
            Self::Vlan(vlan) if vlan.proto == VlanProto::Q => {
                info.bytes(IFLA_VF_VLAN, &numbers(&[vlan.id.into(), vlan.qos.into()]))
            }
            Self::Vlan(vlan) => {
                let mut value = numbers(&[vlan.id.into(), vlan.qos.into()]);
                value.extend(vlan.proto.ether_type().to_be_bytes());
                value.extend([0; 2]);
                info.nest(IFLA_VF_VLAN_LIST, |list| {
                    list.bytes(IFLA_VF_VLAN_INFO, &value)
                })
            }
            Self::Rates(Rates { min, max }) => info.bytes(IFLA_VF_RATE, &numbers(&[min, max])),
            Self::Spoofchk(on) => info.bytes(IFLA_VF_SPOOFCHK, &numbers(&[on.into()])),
            Self::Trust(on) => info.bytes(IFLA_VF_TRUST, &numbers(&[on.into()])),
            Self::QueryRss(on) => info.bytes(IFLA_VF_RSS_QUERY_EN, &numbers(&[on.into()])),
            Self::State(policy) => info.bytes(IFLA_VF_LINK_STATE, &numbers(&[policy.number()])),
        }
    }
}

fn vf_guid(vf: u32, guid: Guid) -> [u8; VF_GUID_LEN] {
    let mut value = [0; VF_GUID_LEN];
    value[..4].copy_from_slice(&vf.to_ne_bytes());
    value[8..].copy_from_slice(&guid.value().to_ne_bytes());
    value
}

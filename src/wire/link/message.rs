//! `Link`: RTM_NEWLINK answers and the requests for them.

use super::vf::{Vf, VfSetting};
use crate::types::IfName;
use crate::wire::{Attr, Attrs, DecodeError, Request};

const RTM_GETLINK: u16 = 18;
pub(super) const RTM_SETLINK: u16 = 19;
/// Bytes of `struct ifinfomsg` (`uapi/linux/rtnetlink.h`).
pub(super) const IFINFOMSG_LEN: usize = 16;

/// `IFF_UP` and `IFF_RUNNING` (`uapi/linux/if.h`).
pub(super) const IFF_UP: u32 = 1;
const IFF_RUNNING: u32 = 1 << 6;

pub(super) const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_MTU: u16 = 4;
pub(super) const IFLA_LINK: u16 = 5;
const IFLA_NUM_VF: u16 = 21;
const IFLA_VFINFO_LIST: u16 = 22;
const IFLA_EXT_MASK: u16 = 29;
pub(super) const IFLA_PROP_LIST: u16 = 52;
pub(super) const IFLA_ALT_IFNAME: u16 = 53;
/// Since Linux 5.6; sent where the device has one.
const IFLA_PERM_ADDRESS: u16 = 54;
pub(super) const IFLA_PARENT_DEV_NAME: u16 = 56;
/// What is left of `nla_type` without its two flags (`uapi/linux/netlink.h`).
const NLA_TYPE_MASK: u16 = 0x3fff;

/// The only kind of entry in IFLA_VFINFO_LIST.
const IFLA_VF_INFO: u16 = 1;

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
    /// It has a link: `IFF_RUNNING` (`uapi/linux/if.h`).
    pub running: bool,
    /// Name.
    pub name: String,
    /// Further names.
    pub alt_names: Vec<String>,
    /// Switched on.
    pub up: bool,
    /// Largest packet in bytes.
    pub mtu: Option<u32>,
    /// The device it sits on, such as a PCI address (Linux 5.14).
    pub parent: Option<String>,
    /// It stands on another interface: a VLAN, or IPoIB with a P_Key of its own.
    pub is_child: bool,
    /// Hardware address: 6 bytes, or 20 on InfiniBand with the port GUID in the last 8.
    pub address: Vec<u8>,
    /// The address it came from the factory with, where it has one.
    pub permanent: Vec<u8>,
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
        let flags = u32::from_ne_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
        let mut link = Self {
            hardware: u16::from_ne_bytes([fixed[2], fixed[3]]),
            index: u32::from_ne_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            up: flags & IFF_UP != 0,
            running: flags & IFF_RUNNING != 0,
            ..Self::default()
        };
        let mut rest = &body[IFINFOMSG_LEN..];
        while let [l0, l1, t0, t1, inside @ ..] = rest {
            if u16::from_ne_bytes([*t0, *t1]) & NLA_TYPE_MASK == IFLA_VFINFO_LIST {
                let claimed = usize::from(u16::from_ne_bytes([*l0, *l1])).saturating_sub(4);
                let length = link.take_vfs(inside, claimed);
                rest = inside.get(length..).unwrap_or_default();
                continue;
            }
            let Some(attr) = Attrs::new(rest).next() else {
                break;
            };
            link.take(attr);
            rest = rest.get(padded(attr)..).unwrap_or_default();
        }
        Ok(link)
    }

    fn take(&mut self, attr: Attr<'_>) {
        match attr.id {
            IFLA_IFNAME => self.name = attr.text(),
            IFLA_ADDRESS => self.address = attr.value.to_vec(),
            IFLA_PERM_ADDRESS => self.permanent = attr.value.to_vec(),
            IFLA_PARENT_DEV_NAME => self.parent = Some(attr.text()),
            IFLA_LINK => self.is_child = attr.u32().is_some_and(|other| other != self.index),
            IFLA_MTU => self.mtu = attr.u32(),
            IFLA_PROP_LIST => {
                let names = attr.nested().filter(|each| each.id == IFLA_ALT_IFNAME);
                self.alt_names = names.map(|name| name.text()).collect();
            }
            IFLA_NUM_VF => self.num_vf = attr.u32(),
            _ => {}
        }
    }

    /// Reads the VF list that `bytes` begin with, and returns how many of them it takes.
    ///
    /// The length of an attribute has 16 bits, and the kernel lets that of a longer list wrap
    /// (`nla_nest_end` in `rtnl_fill_vf`, net/core/rtnetlink.c). The entries are all there, each
    /// with a sound length of its own, and IFLA_NUM_VF in front of the list says how many.
    fn take_vfs(&mut self, bytes: &[u8], claimed: usize) -> usize {
        let expected = self.num_vf.map_or(0, |number| number as usize);
        let mut at = 0;
        while at < claimed || self.vfs.len() < expected {
            let entry = Attrs::new(bytes.get(at..).unwrap_or_default()).next();
            let Some(entry) = entry.filter(|entry| entry.id == IFLA_VF_INFO) else {
                break;
            };
            self.vfs.extend(Vf::decode(entry.nested()));
            at += padded(entry);
        }
        at.max(claimed.next_multiple_of(4))
    }
}

/// Bytes of an attribute with its header and padding.
fn padded(attr: Attr<'_>) -> usize {
    (attr.value.len() + 4).next_multiple_of(4)
}

/// Asks for the interface with this index, with its VFs if wanted.
pub fn get(index: u32, with_vfs: bool) -> Request {
    Request::question(RTM_GETLINK)
        .fixed(&ifinfomsg(index))
        .u32(IFLA_EXT_MASK, mask(with_vfs))
}

/// Asks for the interface with this name; since Linux 5.5 a further name will do too.
pub fn get_by_name(name: &IfName) -> Request {
    // A further name is asked for by its own attribute, and finds first names as well.
    Request::question(RTM_GETLINK)
        .fixed(&[0; IFINFOMSG_LEN])
        .text(IFLA_ALT_IFNAME, name.as_str())
        .u32(IFLA_EXT_MASK, mask(false))
}

/// Lists the interfaces of the socket's namespace, with their VFs if wanted.
pub fn dump(with_vfs: bool) -> Request {
    Request::dump(RTM_GETLINK)
        .fixed(&ifinfomsg(0))
        .u32(IFLA_EXT_MASK, mask(with_vfs))
}

/// Sets one property of a VF through the interface of its PF with this index.
pub fn set_vf(index: u32, vf: u32, setting: VfSetting) -> Request {
    let info = |info| setting.write(vf, info);
    Request::new(RTM_SETLINK)
        .fixed(&ifinfomsg(index))
        .nest(IFLA_VFINFO_LIST, |list| list.nest(IFLA_VF_INFO, info))
}

fn ifinfomsg(index: u32) -> [u8; IFINFOMSG_LEN] {
    let mut fixed = [0; IFINFOMSG_LEN];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    fixed
}

fn mask(with_vfs: bool) -> u32 {
    RTEXT_FILTER_SKIP_STATS | if with_vfs { RTEXT_FILTER_VF } else { 0 }
}

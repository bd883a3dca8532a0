//! Changes of one interface: its name, whether it is up, the namespace it lives in.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::message::{
    IFF_UP, IFINFOMSG_LEN, IFLA_ALT_IFNAME, IFLA_IFNAME, IFLA_MTU, IFLA_PROP_LIST, RTM_SETLINK,
};
use crate::types::IfName;
use crate::wire::Request;

const RTM_NEWLINKPROP: u16 = 108;
const RTM_DELLINKPROP: u16 = 109;

const IFLA_NET_NS_FD: u16 = 28;

/// Gives an interface another name; the kernel wants it down for that before Linux 6.2.
pub fn rename(index: u32, name: &IfName) -> Request {
    change(index).text(IFLA_IFNAME, name.as_str())
}

/// Switches an interface on or off.
pub fn set_up(index: u32, up: bool) -> Request {
    let mut fixed = fixed(index);
    // ifi_flags, and ifi_change: which of them are meant.
    fixed[8..12].copy_from_slice(&(if up { IFF_UP } else { 0 }).to_ne_bytes());
    fixed[12..16].copy_from_slice(&IFF_UP.to_ne_bytes());
    Request::new(RTM_SETLINK).fixed(&fixed)
}

/// Moves an interface to another namespace and then renames it there: when the name is taken the
/// kernel refuses the second after it has done the first (`do_setlink`, net/core/rtnetlink.c),
/// unless the present name is taken there as well.
pub fn move_to(index: u32, netns: BorrowedFd<'_>, name: Option<&IfName>) -> Request {
    // A file descriptor is never negative.
    let fd = netns.as_raw_fd().unsigned_abs();
    let request = change(index).u32(IFLA_NET_NS_FD, fd);
    match name {
        Some(name) => request.text(IFLA_IFNAME, name.as_str()),
        None => request,
    }
}

/// Sets the largest packet of an interface, in bytes.
pub fn set_mtu(index: u32, mtu: u32) -> Request {
    change(index).u32(IFLA_MTU, mtu)
}

/// Gives an interface a further name (Linux 5.5).
pub fn add_alt_name(index: u32, name: &str) -> Request {
    property(RTM_NEWLINKPROP, index, name)
}

/// Takes a further name from an interface.
pub fn delete_alt_name(index: u32, name: &str) -> Request {
    property(RTM_DELLINKPROP, index, name)
}

fn property(kind: u16, index: u32, name: &str) -> Request {
    Request::new(kind)
        .fixed(&fixed(index))
        .nest(IFLA_PROP_LIST, |list| list.text(IFLA_ALT_IFNAME, name))
}

fn change(index: u32) -> Request {
    Request::new(RTM_SETLINK).fixed(&fixed(index))
}

fn fixed(index: u32) -> [u8; IFINFOMSG_LEN] {
    let mut fixed = [0; IFINFOMSG_LEN];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    fixed
}

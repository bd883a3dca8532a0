//! `Event`: what the kernel announces to the notify group of NETLINK_RDMA since Linux 6.12.

use super::attr_ids::*;
use super::message_type;
use crate::wire::Attrs;

/// `RDMA_NLDEV_CMD_MONITOR`: the operation of an announcement; no request has it.
const MONITOR: u16 = 28;

/// `RDMA_NL_GROUP_NOTIFY` (`uapi/rdma/rdma_netlink.h`): the multicast group to join.
pub const GROUP: u32 = 4;

/// `enum rdma_nl_notify_event_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A device came.
    Register,
    /// A device went.
    Unregister,
    /// A port got its interface.
    NetdevAttach,
    /// A port lost its interface.
    NetdevDetach,
    /// A device has a new name (6.13).
    Rename,
    /// An interface has a new name (6.13); no device is named.
    NetdevRename,
    /// One that came after this was written.
    Other(u8),
}

impl From<u8> for EventKind {
    fn from(value: u8) -> Self {
        match value {
            0 => Self::Register,
            1 => Self::Unregister,
            2 => Self::NetdevAttach,
            3 => Self::NetdevDetach,
            4 => Self::Rename,
            5 => Self::NetdevRename,
            other => Self::Other(other),
        }
    }
}

/// One announcement; which parts it has depends on its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// RDMA index.
    pub index: Option<u32>,
    /// Name of the device, the new one after a rename.
    pub name: Option<String>,
    /// Port.
    pub port: Option<u32>,
    /// Index of the interface.
    pub netdev_index: Option<u32>,
    /// Name of the interface.
    pub netdev: Option<String>,
}

impl Event {
    /// Reads a message; `None` when it is no announcement or does not say what happened.
    pub fn decode(kind: u16, body: &[u8]) -> Option<Self> {
        if kind != message_type(MONITOR) {
            return None;
        }
        let attrs = Attrs::new(body);
        let number = |id| attrs.find(id).and_then(|attr| attr.u32());
        let text = |id| attrs.find(id).map(|attr| attr.text());
        Some(Self {
            kind: attrs.find(RDMA_NLDEV_ATTR_EVENT_TYPE)?.u8()?.into(),
            index: number(RDMA_NLDEV_ATTR_DEV_INDEX),
            name: text(RDMA_NLDEV_ATTR_DEV_NAME),
            port: number(RDMA_NLDEV_ATTR_PORT_INDEX),
            netdev_index: number(RDMA_NLDEV_ATTR_NDEV_INDEX),
            netdev: text(RDMA_NLDEV_ATTR_NDEV_NAME),
        })
    }
}

//! `System`: the settings of the whole RDMA subsystem.

use super::attr_ids::*;
use super::{message_type, op};
use crate::types::NetnsMode;
use crate::wire::{Attrs, Request};

/// RDMA_NLDEV_CMD_SYS_GET's answer; older kernels send fewer attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct System {
    /// Namespace mode as the kernel sends it: 0 exclusive, 1 shared.
    pub netns: Option<u8>,
    /// Whether privileged Q_Keys are open to unprivileged users (6.7).
    pub privileged_qkey: Option<bool>,
    /// Whether the kernel sends monitor events (6.12).
    pub monitor: Option<bool>,
    /// Whether registered memory is copied on fork (5.13).
    pub copy_on_fork: Option<bool>,
}

impl System {
    /// Reads the answer; every attribute is optional.
    pub fn decode(body: &[u8]) -> Self {
        let mut system = Self::default();
        for attr in Attrs::new(body) {
            let flag = attr.u8().map(|value| value != 0);
            match attr.id {
                RDMA_NLDEV_SYS_ATTR_NETNS_MODE => system.netns = attr.u8(),
                RDMA_NLDEV_SYS_ATTR_PRIVILEGED_QKEY_MODE => system.privileged_qkey = flag,
                RDMA_NLDEV_SYS_ATTR_MONITOR_MODE => system.monitor = flag,
                RDMA_NLDEV_SYS_ATTR_COPY_ON_FORK => system.copy_on_fork = flag,
                _ => {}
            }
        }
        system
    }

    /// The namespace mode, when the kernel sends one that is known.
    pub fn netns_mode(self) -> Option<NetnsMode> {
        match self.netns? {
            0 => Some(NetnsMode::Exclusive),
            1 => Some(NetnsMode::Shared),
            _ => None,
        }
    }
}

/// Asks for the settings.
pub fn get() -> Request {
    Request::question(message_type(op::SYS_GET))
}

/// Sets the namespace mode.
pub fn set_netns_mode(mode: NetnsMode) -> Request {
    let value = match mode {
        NetnsMode::Exclusive => 0,
        NetnsMode::Shared => 1,
    };
    Request::new(message_type(op::SYS_SET)).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, value)
}

/// Opens privileged Q_Keys to unprivileged users, or closes them.
pub fn set_privileged_qkey(on: bool) -> Request {
    Request::new(message_type(op::SYS_SET)).u8(RDMA_NLDEV_SYS_ATTR_PRIVILEGED_QKEY_MODE, on.into())
}

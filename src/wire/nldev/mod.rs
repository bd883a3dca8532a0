//! The nldev client of NETLINK_RDMA: message types and the requests and records of each object.

pub mod attr_ids;
pub mod device;
pub mod event;
pub mod link;
pub mod port;
pub mod system;

/// `RDMA_NL_NLDEV` (`uapi/rdma/rdma_netlink.h`): the client number of nldev.
const RDMA_NL_NLDEV: u16 = 5;

/// `nlmsg_type` of an nldev command: the client in bits 10 to 15, the operation below.
pub const fn message_type(op: u16) -> u16 {
    (RDMA_NL_NLDEV << 10) | op
}

/// Operations, `RDMA_NLDEV_CMD_*`.
pub mod op {
    /// Devices: one, or all of them.
    pub const GET: u16 = 1;
    /// Change one property of a device.
    pub const SET: u16 = 2;
    /// Add a software device to a network interface.
    pub const NEWLINK: u16 = 3;
    /// Remove a software device.
    pub const DELLINK: u16 = 4;
    /// Ports of a device; a single port is answered with type [`GET`].
    pub const PORT_GET: u16 = 5;
    /// Settings of the subsystem.
    pub const SYS_GET: u16 = 6;
    /// Change one setting of the subsystem.
    pub const SYS_SET: u16 = 7;
    /// Add a sub-device to a device.
    pub const NEWDEV: u16 = 26;
    /// Remove a sub-device.
    pub const DELDEV: u16 = 27;
}

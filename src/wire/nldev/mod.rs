//! The nldev client of NETLINK_RDMA: message types and the requests and records of each object.

pub mod attr_ids;
pub mod chardev;
pub mod device;
pub mod event;
pub mod link;
pub mod port;
pub mod resource;
pub mod statistic;
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
    /// Character devices: of a device, of a port, or of the machine.
    pub const GET_CHARDEV: u16 = 15;
    /// Change how counters are kept, bind one to a queue pair, choose optional ones.
    pub const STAT_SET: u16 = 16;
    /// Counters of a port, a queue pair or a memory region, or the mode they are kept in.
    pub const STAT_GET: u16 = 17;
    /// Unbind a counter; answered with type [`STAT_SET`].
    pub const STAT_DEL: u16 = 18;
    /// Which counters of a port are optional, and which of these are on.
    pub const STAT_GET_STATUS: u16 = 24;
    /// How many objects of each kind devices have.
    pub const RES_GET: u16 = 9;
    /// Queue pairs.
    pub const RES_QP_GET: u16 = 10;
    /// Connections of the connection manager.
    pub const RES_CM_ID_GET: u16 = 11;
    /// Completion queues.
    pub const RES_CQ_GET: u16 = 12;
    /// Memory regions.
    pub const RES_MR_GET: u16 = 13;
    /// Protection domains.
    pub const RES_PD_GET: u16 = 14;
    /// Queue pairs in the driver's own form.
    pub const RES_QP_GET_RAW: u16 = 19;
    /// Completion queues in the driver's own form.
    pub const RES_CQ_GET_RAW: u16 = 20;
    /// Memory regions in the driver's own form.
    pub const RES_MR_GET_RAW: u16 = 21;
    /// Contexts of processes.
    pub const RES_CTX_GET: u16 = 22;
    /// Shared receive queues.
    pub const RES_SRQ_GET: u16 = 23;
    /// Shared receive queues in the driver's own form.
    pub const RES_SRQ_GET_RAW: u16 = 25;
    /// Add a sub-device to a device.
    pub const NEWDEV: u16 = 26;
    /// Remove a sub-device.
    pub const DELDEV: u16 = 27;
    /// Pools of fast registration memory regions.
    pub const FRMR_POOLS_GET: u16 = 29;
    /// Change how long handles of pools live, or how many stay.
    pub const FRMR_POOLS_SET: u16 = 30;
}

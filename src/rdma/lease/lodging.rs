//! `Lodging`: where a lent device went, and how device and namespace are known again.

use crate::kernel::Netns;
use crate::kernel::netns::NetnsId;
use crate::types::Guid;
use crate::wire::nldev::device::Device;

/// The namespace a device was lent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lodging {
    /// The path the runtime gave.
    pub path: String,
    /// Its inode.
    pub id: NetnsId,
    /// The number that no other namespace of this boot has, where the kernel tells.
    pub cookie: Option<u64>,
    /// The boot in which inode, cookie and index mean something.
    pub boot: String,
    /// RDMA index of the device.
    pub index: u32,
    /// Its node GUID, when it had one.
    pub node_guid: Option<Guid>,
}

impl Lodging {
    /// Whether this is the namespace; that it is of this boot has to be known.
    pub fn is_in(&self, netns: &Netns) -> bool {
        netns.is(self.id, self.cookie)
    }

    /// Whether `device` is the one that was lent: an index is given out once in a life of ib_core,
    /// and the GUID tells lives apart.
    pub fn is_of(&self, device: &Device) -> bool {
        self.index == device.index && self.node_guid == known_guid(device)
    }
}

/// The GUID of a device, if it says anything: fresh VFs have none.
pub fn known_guid(device: &Device) -> Option<Guid> {
    device.node_guid.filter(|guid| guid.is_assignable())
}

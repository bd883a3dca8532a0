//! `Lodging`: where a lent device went, and how device and namespace are known again.

use super::netns_mark::NetnsMark;
use crate::types::Guid;
use crate::wire::nldev::device::Device;

/// A device in the namespace it was lent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lodging {
    /// The namespace.
    pub netns: NetnsMark,
    /// RDMA index of the device, which means something in the boot of that mark.
    pub index: u32,
    /// Its node GUID, when it had one.
    pub node_guid: Option<Guid>,
}

impl Lodging {
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

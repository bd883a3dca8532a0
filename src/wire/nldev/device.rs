//! `Device`: RDMA_NLDEV_CMD_GET answers, and the requests that list and change devices.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::attr_ids::*;
use super::{message_type, op};
use crate::types::{Guid, RdmaName};
use crate::wire::{Attrs, DecodeError, Request};

/// What the kernel says of one device; an attribute it did not send is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// RDMA index: 0 is valid, stable over renames and moves, new after a driver rebind.
    pub index: u32,
    /// Name as the kernel has it; not necessarily a sound [`RdmaName`].
    pub name: String,
    /// Number of the last port.
    pub last_port: Option<u32>,
    /// `enum rdma_node_type` less one: 0 unknown, 1 ca, ...
    pub node_type: Option<u8>,
    /// `ib`, `roce`, `iw`, `opa`, `usnic`.
    pub protocol: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// Node GUID.
    pub node_guid: Option<Guid>,
    /// System image GUID.
    pub sys_image_guid: Option<Guid>,
    /// `enum rdma_nl_dev_type`, sub-devices only: 1 is SMI.
    pub dev_type: Option<u8>,
    /// Name of the parent, sub-devices only.
    pub parent: Option<String>,
    /// Adaptive moderation: 0 or 1.
    pub dim: Option<u8>,
    /// `device_cap_flags`.
    pub caps: Option<u64>,
}

impl Device {
    /// Reads the attributes of one GET answer.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut device = Self::default();
        let (mut index, mut name) = (None, None);
        for attr in Attrs::new(body) {
            match attr.id {
                RDMA_NLDEV_ATTR_DEV_INDEX => index = attr.u32(),
                RDMA_NLDEV_ATTR_DEV_NAME => name = Some(attr.text()),
                RDMA_NLDEV_ATTR_PORT_INDEX => device.last_port = attr.u32(),
                RDMA_NLDEV_ATTR_DEV_NODE_TYPE => device.node_type = attr.u8(),
                RDMA_NLDEV_ATTR_DEV_PROTOCOL => device.protocol = Some(attr.text()),
                RDMA_NLDEV_ATTR_FW_VERSION => device.firmware = Some(attr.text()),
                RDMA_NLDEV_ATTR_NODE_GUID => device.node_guid = attr.u64().map(Guid::new),
                RDMA_NLDEV_ATTR_SYS_IMAGE_GUID => device.sys_image_guid = attr.u64().map(Guid::new),
                RDMA_NLDEV_ATTR_DEV_TYPE => device.dev_type = attr.u8(),
                RDMA_NLDEV_ATTR_PARENT_NAME => device.parent = Some(attr.text()),
                RDMA_NLDEV_ATTR_DEV_DIM => device.dim = attr.u8(),
                RDMA_NLDEV_ATTR_CAP_FLAGS => device.caps = attr.u64(),
                _ => {}
            }
        }
        device.named(index, name)
    }

    /// Reads no more than it takes to ask for ports and objects: index, name and last port.
    pub fn decode_address(body: &[u8]) -> Result<Self, DecodeError> {
        let mut device = Self::default();
        let (mut index, mut name) = (None, None);
        for attr in Attrs::new(body) {
            match attr.id {
                RDMA_NLDEV_ATTR_DEV_INDEX => index = attr.u32(),
                RDMA_NLDEV_ATTR_DEV_NAME => name = Some(attr.text()),
                RDMA_NLDEV_ATTR_PORT_INDEX => device.last_port = attr.u32(),
                _ => {}
            }
        }
        device.named(index, name)
    }

    /// Reads no more than it takes to tell who has a GUID: index, name and node GUID.
    pub fn decode_guid(body: &[u8]) -> Result<Self, DecodeError> {
        let mut device = Self::default();
        let (mut index, mut name) = (None, None);
        for attr in Attrs::new(body) {
            match attr.id {
                RDMA_NLDEV_ATTR_DEV_INDEX => index = attr.u32(),
                RDMA_NLDEV_ATTR_DEV_NAME => name = Some(attr.text()),
                RDMA_NLDEV_ATTR_NODE_GUID => device.node_guid = attr.u64().map(Guid::new),
                _ => {}
            }
        }
        device.named(index, name)
    }

    fn named(mut self, index: Option<u32>, name: Option<String>) -> Result<Self, DecodeError> {
        self.index = index.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_DEV_INDEX"))?;
        self.name = name.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_DEV_NAME"))?;
        Ok(self)
    }
}

/// Lists the devices visible in the socket's namespace.
pub fn dump() -> Request {
    Request::dump(message_type(op::GET))
}

/// Asks for one device.
pub fn get(index: u32) -> Request {
    Request::question(message_type(op::GET)).u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
}

/// Renames a device.
pub fn rename(index: u32, name: &RdmaName) -> Request {
    set(index).text(RDMA_NLDEV_ATTR_DEV_NAME, name.as_str())
}

/// Moves a device; the descriptor is looked up in the sending thread's table.
pub fn move_to(index: u32, netns: BorrowedFd<'_>) -> Request {
    set(index).u32(RDMA_NLDEV_NET_NS_FD, netns.as_raw_fd() as u32)
}

/// Switches adaptive moderation.
pub fn set_dim(index: u32, on: bool) -> Request {
    set(index).u8(RDMA_NLDEV_ATTR_DEV_DIM, on.into())
}

/// Adds an SMI sub-device to `parent`.
pub fn add_smi(parent: u32, name: &RdmaName) -> Request {
    const RDMA_DEVICE_TYPE_SMI: u8 = 1;
    Request::new(message_type(op::NEWDEV))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, parent)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, name.as_str())
        .u8(RDMA_NLDEV_ATTR_DEV_TYPE, RDMA_DEVICE_TYPE_SMI)
}

/// Removes a sub-device.
pub fn delete(index: u32) -> Request {
    Request::new(message_type(op::DELDEV)).u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
}

fn set(index: u32) -> Request {
    Request::new(message_type(op::SET)).u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
}

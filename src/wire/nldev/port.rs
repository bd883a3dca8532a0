//! `Port`: RDMA_NLDEV_CMD_PORT_GET answers and the requests for them.

use super::attr_ids::*;
use super::{message_type, op};
use crate::wire::{Attrs, DecodeError, Request};

/// What the kernel says of one port; an attribute it did not send is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Port {
    /// RDMA index of the device.
    pub device_index: u32,
    /// Name of the device.
    pub device: String,
    /// Port number, 1 or more.
    pub number: u32,
    /// Subnet prefix, InfiniBand only.
    pub subnet_prefix: Option<u64>,
    /// Local identifier, InfiniBand only.
    pub lid: Option<u32>,
    /// The subnet manager's local identifier, InfiniBand only.
    pub sm_lid: Option<u32>,
    /// LID mask control, InfiniBand only.
    pub lmc: Option<u8>,
    /// `enum ib_port_state`.
    pub state: Option<u8>,
    /// `enum ib_port_phys_state`.
    pub physical_state: Option<u8>,
    /// Interface of the port, when it lives in the socket's namespace.
    pub netdev: Option<String>,
    /// Index of that interface.
    pub netdev_index: Option<u32>,
    /// Port capabilities: CapMask in the low 32 bits, CapMask2 in the next 16.
    pub caps: Option<u64>,
}

impl Port {
    /// Reads the attributes of one PORT_GET answer.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut port = Self::default();
        let (mut index, mut name, mut number) = (None, None, None);
        for attr in Attrs::new(body) {
            match attr.id {
                RDMA_NLDEV_ATTR_DEV_INDEX => index = attr.u32(),
                RDMA_NLDEV_ATTR_DEV_NAME => name = Some(attr.text()),
                RDMA_NLDEV_ATTR_PORT_INDEX => number = attr.u32(),
                RDMA_NLDEV_ATTR_SUBNET_PREFIX => port.subnet_prefix = attr.u64(),
                RDMA_NLDEV_ATTR_LID => port.lid = attr.u32(),
                RDMA_NLDEV_ATTR_SM_LID => port.sm_lid = attr.u32(),
                RDMA_NLDEV_ATTR_LMC => port.lmc = attr.u8(),
                RDMA_NLDEV_ATTR_PORT_STATE => port.state = attr.u8(),
                RDMA_NLDEV_ATTR_PORT_PHYS_STATE => port.physical_state = attr.u8(),
                RDMA_NLDEV_ATTR_NDEV_NAME => port.netdev = Some(attr.text()),
                RDMA_NLDEV_ATTR_NDEV_INDEX => port.netdev_index = attr.u32(),
                RDMA_NLDEV_ATTR_CAP_FLAGS => port.caps = attr.u64(),
                _ => {}
            }
        }
        port.device_index = index.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_DEV_INDEX"))?;
        port.device = name.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_DEV_NAME"))?;
        port.number = number.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_PORT_INDEX"))?;
        Ok(port)
    }
}

/// Asks for one port.
pub fn get(device: u32, port: u32) -> Request {
    Request::question(message_type(op::PORT_GET))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
}

/// Lists the ports of one device.
pub fn dump(device: u32) -> Request {
    Request::dump(message_type(op::PORT_GET)).u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
}

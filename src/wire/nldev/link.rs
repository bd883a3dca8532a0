//! Requests that add and remove software RDMA devices on network interfaces.

use super::attr_ids::*;
use super::{message_type, op};
use crate::types::{IfName, RdmaName};
use crate::wire::Request;

/// Adds the device `name` of a software driver (`rxe`, `siw`) to `netdev`.
///
/// `driver` is at most 15 bytes (`RDMA_NLDEV_ATTR_LINK_TYPE`'s policy); longer is refused by the
/// kernel.
pub fn add(name: &RdmaName, driver: &str, netdev: &IfName) -> Request {
    Request::new(message_type(op::NEWLINK))
        .text(RDMA_NLDEV_ATTR_DEV_NAME, name.as_str())
        .text(RDMA_NLDEV_ATTR_LINK_TYPE, driver)
        .text(RDMA_NLDEV_ATTR_NDEV_NAME, netdev.as_str())
}

/// Removes a software device.
pub fn delete(index: u32) -> Request {
    Request::new(message_type(op::DELLINK)).u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
}

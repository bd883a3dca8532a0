//! `CharDev`: RDMA_NLDEV_CMD_GET_CHARDEV answers, the device file through which programs come.

use super::attr_ids::*;
use super::{message_type, op};
use crate::wire::{Attrs, DecodeError, Request};

/// A character device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharDev {
    /// The name that the kernel gives it, `uverbs0`; no folder.
    pub name: String,
    /// Major and minor number as `stat` packs them (`huge_encode_dev`, `linux/kdev_t.h`).
    pub number: u64,
}

impl CharDev {
    /// Reads one GET_CHARDEV answer.
    ///
    /// # Errors
    /// [`DecodeError::Missing`] without name or number.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let attrs = Attrs::new(body);
        let name = attrs
            .find(RDMA_NLDEV_ATTR_CHARDEV_NAME)
            .ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_CHARDEV_NAME"))?;
        let number = attrs
            .find(RDMA_NLDEV_ATTR_CHARDEV)
            .and_then(|attr| attr.u64())
            .ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_CHARDEV"))?;
        Ok(Self {
            name: name.text(),
            number,
        })
    }
}

/// Asks for the verbs device file of a device. The kernel loads `ib_uverbs` for it, and answers
/// with an error when the device has no such file.
pub fn verbs(device: u32) -> Request {
    Request::new(message_type(op::GET_CHARDEV))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .text(RDMA_NLDEV_ATTR_CHARDEV_TYPE, "uverbs")
}

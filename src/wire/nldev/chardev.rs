//! `CharDev`: RDMA_NLDEV_CMD_GET_CHARDEV answers, the device file through which programs come.

use super::attr_ids::*;
use super::{message_type, op};
use crate::wire::{Attrs, DecodeError, Request};

/// Which of the device files of RDMA is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Verbs, one a device.
    Uverbs,
    /// Management datagrams, one a port.
    Umad,
    /// The subnet manager's side of a port, one a port.
    Issm,
    /// The connection manager, one a machine.
    RdmaCm,
}

impl Kind {
    /// The word of the protocol, which is also that of the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Uverbs => "uverbs",
            Self::Umad => "umad",
            Self::Issm => "issm",
            Self::RdmaCm => "rdma_cm",
        }
    }
}

/// A character device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharDev {
    /// The name that the kernel gives it, `uverbs0`; no folder.
    pub name: String,
    /// Major and minor number as `stat` packs them (`huge_encode_dev`, `linux/kdev_t.h`).
    pub number: u64,
    /// `enum rdma_driver_id` (`rdma/ib_user_ioctl_verbs.h`), of verbs files.
    pub driver_id: Option<u32>,
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
        let driver_id = attrs.find(RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID);
        Ok(Self {
            name: name.text(),
            number,
            driver_id: driver_id.and_then(|attr| attr.u32()),
        })
    }
}

/// Asks for the verbs device file of a device. The kernel loads `ib_uverbs` for it, and answers
/// with an error when the device has no such file.
pub fn verbs(device: u32) -> Request {
    Request::new(message_type(op::GET_CHARDEV))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .text(RDMA_NLDEV_ATTR_CHARDEV_TYPE, Kind::Uverbs.word())
}

/// One of many questions for a device file: of a device, of a port, or of the machine. The kernel
/// loads the module `rdma-client-KIND` when it has none.
pub fn question(kind: Kind, device: Option<u32>, port: Option<u32>) -> Request {
    let mut request = Request::question(message_type(op::GET_CHARDEV));
    if let Some(device) = device {
        request = request.u32(RDMA_NLDEV_ATTR_DEV_INDEX, device);
    }
    if let Some(port) = port {
        request = request.u32(RDMA_NLDEV_ATTR_PORT_INDEX, port);
    }
    request.text(RDMA_NLDEV_ATTR_CHARDEV_TYPE, kind.word())
}

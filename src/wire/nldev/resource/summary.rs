//! `Summary`: RDMA_NLDEV_CMD_RES_GET answers, how many objects of each kind a device has.

use crate::wire::nldev::attr_ids::*;
use crate::wire::nldev::{message_type, op};
use crate::wire::{Attr, Attrs, DecodeError, Request};

/// The counts of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// RDMA index of the device.
    pub device_index: u32,
    /// Name of the device.
    pub device: String,
    /// The counts, in the kernel's order.
    pub counts: Vec<Count>,
}

/// How many objects of one kind there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The kernel's name of the kind.
    pub name: String,
    /// How many.
    pub current: u64,
    /// How many there can be (Linux 7.3).
    pub max: Option<u64>,
}

impl Summary {
    /// Reads one RES_GET answer.
    ///
    /// # Errors
    /// [`DecodeError::Missing`] without the device, or without the name or value of a count.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let (device_index, device) = super::device(body)?;
        let table = Attrs::new(body)
            .find(RDMA_NLDEV_ATTR_RES_SUMMARY)
            .ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_SUMMARY"))?;
        let counts = table
            .nested()
            .filter(|attr| attr.id == RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY)
            .map(|attr| Count::decode(attr.nested()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            device_index,
            device,
            counts,
        })
    }
}

impl Count {
    fn decode(attrs: Attrs<'_>) -> Result<Self, DecodeError> {
        let number = |id| attrs.find(id).and_then(Attr::u64);
        let name =
            attrs
                .find(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME)
                .ok_or(DecodeError::Missing(
                    "RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME",
                ))?;
        Ok(Self {
            name: name.text(),
            current: number(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR).ok_or(DecodeError::Missing(
                "RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR",
            ))?,
            max: number(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_MAX),
        })
    }
}

/// Asks for the counts of every device.
pub fn dump() -> Request {
    Request::dump(message_type(op::RES_GET))
}

/// Asks for the counts of one device. Only here the objects that a driver made for itself can be
/// included: a listing leaves them out whatever it is asked (`_nldev_res_get_dumpit`).
pub fn get(device: u32, driver_details: bool) -> Request {
    let request = Request::new(message_type(op::RES_GET)).u32(RDMA_NLDEV_ATTR_DEV_INDEX, device);
    if driver_details {
        request.u8(RDMA_NLDEV_ATTR_DRIVER_DETAILS, 1)
    } else {
        request
    }
}

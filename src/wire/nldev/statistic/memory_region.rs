//! `MrCounters`: the counters of a memory region and the request for them.

use super::super::attr_ids::*;
use super::super::{message_type, op};
use super::Counter;
use crate::wire::{Attrs, DecodeError, Request};

/// One entry of STAT_GET for memory regions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MrCounters {
    /// Number of the memory region; 0 is valid.
    pub mrn: Option<u32>,
    /// In the driver's order.
    pub counters: Vec<Counter>,
}

impl MrCounters {
    /// Reads every entry of one message.
    pub fn decode_all(body: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let Some(table) = Attrs::new(body).find(RDMA_NLDEV_ATTR_RES_MR) else {
            return Ok(Vec::new());
        };
        table
            .nested()
            .filter(|entry| entry.id == RDMA_NLDEV_ATTR_RES_MR_ENTRY)
            .map(|entry| Self::decode(entry.value))
            .collect()
    }

    /// Reads one entry, or the answer about one memory region.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut read = Self::default();
        for attr in Attrs::new(body) {
            match attr.id {
                RDMA_NLDEV_ATTR_RES_MRN => read.mrn = attr.u32(),
                RDMA_NLDEV_ATTR_STAT_HWCOUNTERS => read.counters = super::counters(attr)?,
                _ => {}
            }
        }
        Ok(read)
    }
}

/// Lists the memory regions of one device that the driver counts for.
pub fn dump(device: u32, driver_details: bool) -> Request {
    let request = Request::dump(message_type(op::STAT_GET));
    about(request, device, driver_details)
}

/// Asks for one memory region.
pub fn get(device: u32, mrn: u32, driver_details: bool) -> Request {
    let request = Request::new(message_type(op::STAT_GET));
    about(request, device, driver_details).u32(RDMA_NLDEV_ATTR_RES_MRN, mrn)
}

fn about(request: Request, device: u32, driver_details: bool) -> Request {
    let request = request
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .u32(RDMA_NLDEV_ATTR_STAT_RES, u32::from(RDMA_NLDEV_ATTR_RES_MR));
    if driver_details {
        request.u8(RDMA_NLDEV_ATTR_DRIVER_DETAILS, 1)
    } else {
        request
    }
}

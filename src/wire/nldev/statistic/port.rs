//! `PortCounters`: the hardware counters of a port and the request for them.

use super::super::attr_ids::*;
use super::super::{message_type, op};
use super::Counter;
use crate::wire::{Attrs, DecodeError, Request};

/// What STAT_GET says of a port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortCounters {
    /// In the driver's order; optional ones only while they are on.
    pub counters: Vec<Counter>,
}

impl PortCounters {
    /// Reads one answer.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let counters = Attrs::new(body)
            .find(RDMA_NLDEV_ATTR_STAT_HWCOUNTERS)
            .map(super::counters)
            .transpose()?;
        Ok(Self {
            counters: counters.unwrap_or_default(),
        })
    }
}

/// Asks for the counters of one port.
pub fn get(device: u32, port: u32) -> Request {
    Request::new(message_type(op::STAT_GET))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
}

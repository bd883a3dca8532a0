//! `OptionalCounter`: counters that can be switched on and off, and the requests that do it.

use super::super::attr_ids::*;
use super::super::{message_type, op};
use crate::wire::{Attr, Attrs, DecodeError, Request};

/// One counter of STAT_GET_STATUS that can be switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalCounter {
    /// As the driver calls it.
    pub name: String,
    /// Its number among all counters of the port.
    pub index: u32,
    /// Whether it counts.
    pub on: bool,
}

impl OptionalCounter {
    /// Reads one answer; counters that always count are left out.
    pub fn decode_all(body: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let Some(table) = Attrs::new(body).find(RDMA_NLDEV_ATTR_STAT_HWCOUNTERS) else {
            return Ok(Vec::new());
        };
        let entries = table
            .nested()
            .filter(|entry| entry.id == RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY);
        let mut found = Vec::new();
        for entry in entries {
            let find = |id| entry.nested().find(id);
            let Some(dynamic) = find(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_DYNAMIC).and_then(Attr::u8)
            else {
                continue;
            };
            let name = find(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME).ok_or(
                DecodeError::Missing("RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME"),
            )?;
            let index = find(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_INDEX)
                .and_then(Attr::u32)
                .ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_STAT_HWCOUNTER_INDEX"))?;
            found.push(Self {
                name: name.text(),
                index,
                on: dynamic != 0,
            });
        }
        Ok(found)
    }
}

/// Asks which counters of a port are optional.
pub fn get(device: u32, port: u32) -> Request {
    Request::new(message_type(op::STAT_GET_STATUS))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
}

/// Switches exactly these on, and every other optional counter of the port off.
pub fn set(device: u32, port: u32, indices: &[u32]) -> Request {
    Request::new(message_type(op::STAT_SET))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
        .nest(RDMA_NLDEV_ATTR_STAT_HWCOUNTERS, |table| {
            indices.iter().fold(table, |table, index| {
                table.u32(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_INDEX, *index)
            })
        })
}

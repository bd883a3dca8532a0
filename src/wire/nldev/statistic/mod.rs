//! Counters of ports, queue pairs and memory regions: `Counter`, and a module for each holder.

use super::attr_ids::*;
use crate::wire::{Attr, DecodeError};

pub mod memory_region;
pub mod mode;
pub mod optional;
pub mod port;
pub mod queue_pair;

/// One counter; names are the driver's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// As the driver calls it.
    pub name: String,
    /// All 64 bits of it.
    pub value: u64,
}

/// The entries of `RDMA_NLDEV_ATTR_STAT_HWCOUNTERS`, in the driver's order.
fn counters(table: Attr<'_>) -> Result<Vec<Counter>, DecodeError> {
    let entries = table
        .nested()
        .filter(|entry| entry.id == RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY);
    let mut counters = Vec::new();
    for entry in entries {
        let find = |id| entry.nested().find(id);
        let name = find(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME).ok_or(DecodeError::Missing(
            "RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME",
        ))?;
        let value = find(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_VALUE)
            .and_then(Attr::u64)
            .ok_or(DecodeError::Missing(
                "RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_VALUE",
            ))?;
        counters.push(Counter {
            name: name.text(),
            value,
        });
    }
    Ok(counters)
}

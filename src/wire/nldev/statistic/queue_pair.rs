//! `QpCounters`: a counter that queue pairs are bound to, and the requests for it.

use super::super::attr_ids::*;
use super::super::{message_type, op};
use super::Counter;
use crate::wire::{Attr, Attrs, DecodeError, Request};

/// One entry of STAT_GET for queue pairs; an attribute it did not send is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QpCounters {
    /// Port number.
    pub port: Option<u32>,
    /// Number of the counter.
    pub id: u32,
    /// `enum ib_qp_type`, when the counter is kept by type.
    pub qp_type: Option<u8>,
    /// The process, when the counter is kept by process.
    pub pid: Option<u32>,
    /// The kernel module, for objects of the kernel.
    pub kernel_name: Option<String>,
    /// Numbers of the queue pairs bound to it.
    pub lqpns: Vec<u32>,
    /// In the driver's order.
    pub counters: Vec<Counter>,
}

impl QpCounters {
    /// Reads every entry of one message.
    pub fn decode_all(body: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let Some(table) = Attrs::new(body).find(RDMA_NLDEV_ATTR_STAT_COUNTER) else {
            return Ok(Vec::new());
        };
        table
            .nested()
            .filter(|entry| entry.id == RDMA_NLDEV_ATTR_STAT_COUNTER_ENTRY)
            .map(|entry| Self::decode(entry.value))
            .collect()
    }

    /// Reads one entry, or the answer about one counter.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut read = Self::default();
        let mut id = None;
        for attr in Attrs::new(body) {
            match attr.id {
                RDMA_NLDEV_ATTR_PORT_INDEX => read.port = attr.u32(),
                RDMA_NLDEV_ATTR_STAT_COUNTER_ID => id = attr.u32(),
                RDMA_NLDEV_ATTR_RES_TYPE => read.qp_type = attr.u8(),
                RDMA_NLDEV_ATTR_RES_PID => read.pid = attr.u32(),
                RDMA_NLDEV_ATTR_RES_KERN_NAME => read.kernel_name = Some(attr.text()),
                RDMA_NLDEV_ATTR_RES_QP => read.lqpns = lqpns(attr),
                RDMA_NLDEV_ATTR_STAT_HWCOUNTERS => read.counters = super::counters(attr)?,
                _ => {}
            }
        }
        read.id = id.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_STAT_COUNTER_ID"))?;
        Ok(read)
    }
}

fn lqpns(table: Attr<'_>) -> Vec<u32> {
    table
        .nested()
        .filter(|entry| entry.id == RDMA_NLDEV_ATTR_RES_QP_ENTRY)
        .filter_map(|entry| entry.nested().find(RDMA_NLDEV_ATTR_RES_LQPN)?.u32())
        .collect()
}

/// Lists the counters of one device.
pub fn dump(device: u32) -> Request {
    Request::dump(message_type(op::STAT_GET))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .u32(RDMA_NLDEV_ATTR_STAT_RES, u32::from(RDMA_NLDEV_ATTR_RES_QP))
}

/// Asks for one counter.
pub fn get(device: u32, port: u32, counter: u32) -> Request {
    Request::new(message_type(op::STAT_GET))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
        .u32(RDMA_NLDEV_ATTR_STAT_RES, u32::from(RDMA_NLDEV_ATTR_RES_QP))
        .u32(RDMA_NLDEV_ATTR_STAT_COUNTER_ID, counter)
}

//! `Mode`: how the counters of queue pairs are kept, and the requests that read and change it.

use super::super::attr_ids::*;
use super::super::{message_type, op};
use crate::types::AutoCriteria;
use crate::wire::{Attrs, Request};

/// `enum rdma_nl_counter_mode`.
const RDMA_COUNTER_MODE_AUTO: u32 = 1;
const RDMA_COUNTER_MODE_MANUAL: u32 = 2;

/// What STAT_GET says of a port's mode; an attribute it did not send is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mode {
    /// `enum rdma_nl_counter_mode`: 0 none, 1 auto, 2 manual.
    pub mode: Option<u32>,
    /// `enum rdma_nl_counter_mask`: 1 by type, 2 by process.
    pub mask: Option<u32>,
    /// Whether optional counters are bound too (6.15).
    pub optional: Option<bool>,
}

impl Mode {
    /// Reads one answer; every attribute is optional.
    pub fn decode(body: &[u8]) -> Self {
        let mut mode = Self::default();
        for attr in Attrs::new(body) {
            match attr.id {
                RDMA_NLDEV_ATTR_STAT_MODE => mode.mode = attr.u32(),
                RDMA_NLDEV_ATTR_STAT_AUTO_MODE_MASK => mode.mask = attr.u32(),
                RDMA_NLDEV_ATTR_STAT_OPCOUNTER_ENABLED => {
                    mode.optional = attr.u8().map(|value| value != 0);
                }
                _ => {}
            }
        }
        mode
    }

    /// The criteria of the automatic mode, if that is on.
    pub fn auto(self) -> Option<AutoCriteria> {
        (self.mode == Some(RDMA_COUNTER_MODE_AUTO))
            .then_some(AutoCriteria::from_mask(self.mask.unwrap_or(0)))
    }
}

/// Asks for the mode of one port.
pub fn get(device: u32, port: u32) -> Request {
    Request::new(message_type(op::STAT_GET))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
        // The kernel looks only at whether it is there (nldev_stat_get_doit).
        .u32(RDMA_NLDEV_ATTR_STAT_MODE, RDMA_COUNTER_MODE_MANUAL)
        .u32(RDMA_NLDEV_ATTR_STAT_RES, u32::from(RDMA_NLDEV_ATTR_RES_QP))
}

/// Binds every new queue pair of a port to a counter by these criteria, or none any more.
///
/// `optional` is sent only where it was asked for: kernels before 6.15 refuse it.
pub fn set_auto(device: u32, port: u32, criteria: AutoCriteria, optional: Option<bool>) -> Request {
    let request = Request::new(message_type(op::STAT_SET))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
        .u32(RDMA_NLDEV_ATTR_STAT_RES, u32::from(RDMA_NLDEV_ATTR_RES_QP))
        .u32(RDMA_NLDEV_ATTR_STAT_MODE, RDMA_COUNTER_MODE_AUTO)
        .u32(RDMA_NLDEV_ATTR_STAT_AUTO_MODE_MASK, criteria.mask());
    match optional {
        Some(on) => request.u8(RDMA_NLDEV_ATTR_STAT_OPCOUNTER_ENABLED, on.into()),
        None => request,
    }
}

/// Begins a request about one queue pair's counter.
fn manual(op: u16, device: u32, port: u32) -> Request {
    Request::new(message_type(op))
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
        .u32(RDMA_NLDEV_ATTR_STAT_MODE, RDMA_COUNTER_MODE_MANUAL)
        .u32(RDMA_NLDEV_ATTR_STAT_RES, u32::from(RDMA_NLDEV_ATTR_RES_QP))
}

/// Binds a queue pair to a counter, or to a new one; the answer says to which.
pub fn bind(device: u32, port: u32, lqpn: u32, counter: Option<u32>) -> Request {
    let request = manual(op::STAT_SET, device, port).u32(RDMA_NLDEV_ATTR_RES_LQPN, lqpn);
    match counter {
        Some(id) => request.u32(RDMA_NLDEV_ATTR_STAT_COUNTER_ID, id),
        None => request,
    }
}

/// The counter that a queue pair was bound to.
pub fn bound(body: &[u8]) -> Option<u32> {
    Attrs::new(body)
        .find(RDMA_NLDEV_ATTR_STAT_COUNTER_ID)?
        .u32()
}

/// Takes a queue pair from its counter.
pub fn unbind(device: u32, port: u32, counter: u32, lqpn: u32) -> Request {
    manual(op::STAT_DEL, device, port)
        .u32(RDMA_NLDEV_ATTR_STAT_COUNTER_ID, counter)
        .u32(RDMA_NLDEV_ATTR_RES_LQPN, lqpn)
}

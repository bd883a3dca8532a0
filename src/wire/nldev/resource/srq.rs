//! `Srq`: a shared receive queue as RES_SRQ_GET shows it.

use crate::wire::nldev::attr_ids::*;
use crate::wire::{Attr, Attrs, DecodeError};

/// A shared receive queue; an attribute that the kernel did not send is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Srq {
    /// Its number; 0 is valid.
    pub srqn: u32,
    /// `enum ib_srq_type`.
    pub srq_type: Option<u8>,
    /// The queue pairs that receive from it.
    pub qps: Vec<Run>,
    /// Number of its protection domain.
    pub pdn: Option<u32>,
    /// Number of its completion queue.
    pub cqn: Option<u32>,
}

/// Numbers without a gap, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The lowest.
    pub first: u32,
    /// The highest.
    pub last: u32,
}

impl Srq {
    /// Reads the attributes of one of them.
    pub(super) fn decode(attrs: Attrs<'_>) -> Result<Self, DecodeError> {
        let mut srq = Self::default();
        let (mut srqn, mut qps) = (None, None);
        for attr in attrs {
            match attr.id {
                RDMA_NLDEV_ATTR_RES_SRQN => srqn = attr.u32(),
                RDMA_NLDEV_ATTR_RES_TYPE => srq.srq_type = attr.u8(),
                RDMA_NLDEV_ATTR_RES_QP => qps = Some(attr.nested().filter_map(run).collect()),
                RDMA_NLDEV_ATTR_RES_PDN => srq.pdn = attr.u32(),
                RDMA_NLDEV_ATTR_RES_CQN => srq.cqn = attr.u32(),
                _ => {}
            }
        }
        srq.srqn = srqn.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_SRQN"))?;
        srq.qps = qps.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_QP"))?;
        Ok(srq)
    }
}

/// One number, or the ends of a run.
fn run(entry: Attr<'_>) -> Option<Run> {
    let attrs = entry.nested();
    let number = |id| attrs.find(id).and_then(Attr::u32);
    if let Some(one) = number(RDMA_NLDEV_ATTR_RES_LQPN) {
        return Some(Run {
            first: one,
            last: one,
        });
    }
    Some(Run {
        first: number(RDMA_NLDEV_ATTR_MIN_RANGE)?,
        last: number(RDMA_NLDEV_ATTR_MAX_RANGE)?,
    })
}

//! `Cq`: a completion queue as RES_CQ_GET shows it.

use crate::wire::nldev::attr_ids::*;
use crate::wire::{Attrs, DecodeError};

/// A completion queue; an attribute that the kernel did not send is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cq {
    /// Its number; 0 is valid.
    pub cqn: Option<u32>,
    /// How many entries it has room for.
    pub cqe: u32,
    /// How many objects use it.
    pub users: u64,
    /// `enum ib_poll_context`, the kernel's own only.
    pub poll_ctx: Option<u8>,
    /// Adaptive moderation: 0 or 1.
    pub dim: Option<u8>,
    /// Number of its context, user space only.
    pub ctxn: Option<u32>,
}

impl Cq {
    /// Reads the attributes of one of them.
    pub(super) fn decode(attrs: Attrs<'_>) -> Result<Self, DecodeError> {
        let mut cq = Self::default();
        let (mut cqe, mut users) = (None, None);
        for attr in attrs {
            match attr.id {
                RDMA_NLDEV_ATTR_RES_CQN => cq.cqn = attr.u32(),
                RDMA_NLDEV_ATTR_RES_CQE => cqe = attr.u32(),
                RDMA_NLDEV_ATTR_RES_USECNT => users = attr.u64(),
                RDMA_NLDEV_ATTR_RES_POLL_CTX => cq.poll_ctx = attr.u8(),
                RDMA_NLDEV_ATTR_DEV_DIM => cq.dim = attr.u8(),
                RDMA_NLDEV_ATTR_RES_CTXN => cq.ctxn = attr.u32(),
                _ => {}
            }
        }
        cq.cqe = cqe.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_CQE"))?;
        cq.users = users.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_USECNT"))?;
        Ok(cq)
    }
}

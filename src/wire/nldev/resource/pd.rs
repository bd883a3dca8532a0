//! `Pd`: a protection domain as RES_PD_GET shows it.

use crate::wire::nldev::attr_ids::*;
use crate::wire::{Attrs, DecodeError};

/// A protection domain; an attribute that the kernel did not send is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pd {
    /// Its number; 0 is valid.
    pub pdn: Option<u32>,
    /// Local key for all memory, for administrators only.
    pub local_dma_lkey: Option<u32>,
    /// How many objects use it.
    pub users: u64,
    /// Remote key for all memory, for administrators only.
    pub unsafe_global_rkey: Option<u32>,
    /// Number of its context, user space only.
    pub ctxn: Option<u32>,
}

impl Pd {
    /// Reads the attributes of one of them.
    pub(super) fn decode(attrs: Attrs<'_>) -> Result<Self, DecodeError> {
        let mut pd = Self::default();
        let mut users = None;
        for attr in attrs {
            match attr.id {
                RDMA_NLDEV_ATTR_RES_PDN => pd.pdn = attr.u32(),
                RDMA_NLDEV_ATTR_RES_LOCAL_DMA_LKEY => pd.local_dma_lkey = attr.u32(),
                RDMA_NLDEV_ATTR_RES_USECNT => users = attr.u64(),
                RDMA_NLDEV_ATTR_RES_UNSAFE_GLOBAL_RKEY => pd.unsafe_global_rkey = attr.u32(),
                RDMA_NLDEV_ATTR_RES_CTXN => pd.ctxn = attr.u32(),
                _ => {}
            }
        }
        pd.users = users.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_USECNT"))?;
        Ok(pd)
    }
}

//! `Mr`: a memory region as RES_MR_GET shows it.

use crate::wire::nldev::attr_ids::*;
use crate::wire::{Attrs, DecodeError};

/// A memory region; an attribute that the kernel did not send is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mr {
    /// Its number; 0 is valid.
    pub mrn: Option<u32>,
    /// Remote key, for administrators only.
    pub rkey: Option<u32>,
    /// Local key, for administrators only.
    pub lkey: Option<u32>,
    /// Address, from kernels that still tell it.
    pub iova: Option<u64>,
    /// Bytes.
    pub mrlen: u64,
    /// Number of its protection domain.
    pub pdn: Option<u32>,
}

impl Mr {
    /// Reads the attributes of one of them.
    pub(super) fn decode(attrs: Attrs<'_>) -> Result<Self, DecodeError> {
        let mut mr = Self::default();
        let mut mrlen = None;
        for attr in attrs {
            match attr.id {
                RDMA_NLDEV_ATTR_RES_MRN => mr.mrn = attr.u32(),
                RDMA_NLDEV_ATTR_RES_RKEY => mr.rkey = attr.u32(),
                RDMA_NLDEV_ATTR_RES_LKEY => mr.lkey = attr.u32(),
                RDMA_NLDEV_ATTR_RES_IOVA => mr.iova = attr.u64(),
                RDMA_NLDEV_ATTR_RES_MRLEN => mrlen = attr.u64(),
                RDMA_NLDEV_ATTR_RES_PDN => mr.pdn = attr.u32(),
                _ => {}
            }
        }
        mr.mrlen = mrlen.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_MRLEN"))?;
        Ok(mr)
    }
}

//! `Ctx`: a context, what a process has after it opened a device, as RES_CTX_GET shows it.

use crate::wire::nldev::attr_ids::*;
use crate::wire::{Attr, Attrs, DecodeError};

/// A context of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ctx {
    /// Its number; 0 is valid.
    pub ctxn: u32,
}

impl Ctx {
    /// Reads the attributes of one of them.
    pub(super) fn decode(attrs: Attrs<'_>) -> Result<Self, DecodeError> {
        let ctxn = attrs
            .find(RDMA_NLDEV_ATTR_RES_CTXN)
            .and_then(Attr::u32)
            .ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_CTXN"))?;
        Ok(Self { ctxn })
    }
}

//! `FrmrPool`: a pool of fast registration memory regions, and the requests that change pools.

use crate::types::FrmrKey;
use crate::wire::nldev::attr_ids::*;
use crate::wire::nldev::{message_type, op};
use crate::wire::{Attr, Attrs, DecodeError, Request};

/// A pool; an attribute that the kernel did not send is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrmrPool {
    /// What its regions have in common.
    pub key: FrmrKey,
    /// The part of the key that the kernel keeps to itself.
    pub kernel_vendor_key: Option<u64>,
    /// Handles that wait to be used.
    pub queue: Option<u32>,
    /// Handles in use.
    pub in_use: Option<u64>,
    /// The most that ever were.
    pub max_in_use: Option<u64>,
    /// Handles kept for good.
    pub pinned: Option<u32>,
}

impl FrmrPool {
    /// Reads the attributes of one of them.
    pub(super) fn decode(attrs: Attrs<'_>) -> Result<Self, DecodeError> {
        let mut pool = Self::default();
        let mut key = None;
        for attr in attrs {
            match attr.id {
                RDMA_NLDEV_ATTR_FRMR_POOL_KEY => key = Some(attr.nested()),
                RDMA_NLDEV_ATTR_FRMR_POOL_QUEUE_HANDLES => pool.queue = attr.u32(),
                RDMA_NLDEV_ATTR_FRMR_POOL_IN_USE => pool.in_use = attr.u64(),
                RDMA_NLDEV_ATTR_FRMR_POOL_MAX_IN_USE => pool.max_in_use = attr.u64(),
                RDMA_NLDEV_ATTR_FRMR_POOL_PINNED_HANDLES => pool.pinned = attr.u32(),
                _ => {}
            }
        }
        let key = key.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_FRMR_POOL_KEY"))?;
        let u64_of = |id| key.find(id).and_then(Attr::u64);
        pool.key = FrmrKey {
            vendor: u64_of(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_VENDOR_KEY).unwrap_or_default(),
            dma_blocks: u64_of(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_NUM_DMA_BLOCKS).unwrap_or_default(),
            access_flags: key
                .find(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_ACCESS_FLAGS)
                .and_then(Attr::u32)
                .unwrap_or_default(),
            ats: key
                .find(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_ATS)
                .and_then(Attr::u8)
                .is_some_and(|ats| ats != 0),
        };
        pool.kernel_vendor_key = u64_of(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_KERNEL_VENDOR_KEY);
        Ok(pool)
    }
}

/// Sets how many seconds unused handles stay.
pub fn set_aging(device: u32, seconds: u32) -> Request {
    set(device).u32(RDMA_NLDEV_ATTR_FRMR_POOLS_AGING_PERIOD, seconds)
}

/// Sets how many handles of a pool stay for good.
pub fn set_pinned(device: u32, key: &FrmrKey, handles: u32) -> Request {
    set(device)
        .u32(RDMA_NLDEV_ATTR_FRMR_POOL_PINNED_HANDLES, handles)
        .nest(RDMA_NLDEV_ATTR_FRMR_POOL_KEY, |nest| {
            nest.u8(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_ATS, key.ats.into())
                .u32(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_ACCESS_FLAGS, key.access_flags)
                .u64(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_VENDOR_KEY, key.vendor)
                .u64(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_NUM_DMA_BLOCKS, key.dma_blocks)
        })
}

fn set(device: u32) -> Request {
    Request::new(message_type(op::FRMR_POOLS_SET)).u32(RDMA_NLDEV_ATTR_DEV_INDEX, device)
}

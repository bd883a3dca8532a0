//! Tracked objects: what RES_*_GET and FRMR_POOLS_GET say of QPs, CQs and the others.

pub mod cm_id;
pub mod cq;
pub mod ctx;
pub mod driver;
pub mod frmr_pools;
pub mod kind;
pub mod mr;
pub mod pd;
pub mod qp;
pub mod srq;
pub mod summary;

use super::attr_ids::*;
use crate::wire::{Attrs, DecodeError};

pub use cm_id::CmId;
pub use cq::Cq;
pub use ctx::Ctx;
pub use driver::Detail;
pub use frmr_pools::FrmrPool;
pub use kind::{Kind, Query};
pub use mr::Mr;
pub use pd::Pd;
pub use qp::Qp;
pub use srq::Srq;
pub use summary::Summary;

/// One object of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// RDMA index of the device.
    pub device_index: u32,
    /// Name of the device.
    pub device: String,
    /// The port, of objects that have one.
    pub port: Option<u32>,
    /// Who made it.
    pub task: Task,
    /// What the driver adds of its own, in its order.
    pub driver: Vec<Detail>,
    /// What it is.
    pub what: What,
}

/// Who made an object: a process, or a part of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Task {
    /// The process in the reader's PID namespace; absent when it lives in an unrelated one.
    pub pid: Option<u32>,
    /// The kernel module.
    pub kernel: Option<String>,
}

/// The properties of one kind of object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A queue pair.
    Qp(Qp),
    /// A connection of the connection manager.
    CmId(CmId),
    /// A completion queue.
    Cq(Cq),
    /// A memory region.
    Mr(Mr),
    /// A protection domain.
    Pd(Pd),
    /// A context of a process.
    Ctx(Ctx),
    /// A shared receive queue.
    Srq(Srq),
    /// A pool of fast registration memory regions.
    FrmrPool(FrmrPool),
    /// An object in the form that only its driver's tools understand.
    Raw(Vec<u8>),
}

/// The device that a message is about.
pub(super) fn device(body: &[u8]) -> Result<(u32, String), DecodeError> {
    let attrs = Attrs::new(body);
    let index = attrs
        .find(RDMA_NLDEV_ATTR_DEV_INDEX)
        .and_then(|attr| attr.u32())
        .ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_DEV_INDEX"))?;
    let name = attrs
        .find(RDMA_NLDEV_ATTR_DEV_NAME)
        .ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_DEV_NAME"))?;
    Ok((index, name.text()))
}

impl Query {
    /// Reads one message of a listing, which holds some of the objects of one device.
    ///
    /// # Errors
    /// [`DecodeError::Missing`] without the device or what an object cannot do without.
    pub fn decode_table(&self, body: &[u8]) -> Result<Vec<Object>, DecodeError> {
        let (index, name) = device(body)?;
        let (table, entry) = self.kind.table();
        let Some(table) = Attrs::new(body).find(table) else {
            return Ok(Vec::new());
        };
        table
            .nested()
            .filter(|attr| attr.id == entry)
            .map(|attr| self.decode_object(index, &name, attr.nested()))
            .collect()
    }

    /// Reads the answer to a question for one object, whose attributes lie beside the device's.
    ///
    /// # Errors
    /// As [`Self::decode_table`].
    pub fn decode_one(&self, body: &[u8]) -> Result<Object, DecodeError> {
        let (index, name) = device(body)?;
        self.decode_object(index, &name, Attrs::new(body))
    }

    fn decode_object(
        &self,
        device_index: u32,
        device: &str,
        attrs: Attrs<'_>,
    ) -> Result<Object, DecodeError> {
        let mut object = Object {
            device_index,
            device: device.to_owned(),
            port: None,
            task: Task::default(),
            driver: Vec::new(),
            what: self.decode_what(attrs)?,
        };
        for attr in attrs {
            match attr.id {
                RDMA_NLDEV_ATTR_PORT_INDEX => object.port = attr.u32(),
                RDMA_NLDEV_ATTR_RES_PID => object.task.pid = attr.u32(),
                RDMA_NLDEV_ATTR_RES_KERN_NAME => object.task.kernel = Some(attr.text()),
                RDMA_NLDEV_ATTR_DRIVER => object.driver = driver::decode(attr.nested()),
                _ => {}
            }
        }
        Ok(object)
    }

    fn decode_what(&self, attrs: Attrs<'_>) -> Result<What, DecodeError> {
        if self.is_raw() {
            let raw = attrs.find(RDMA_NLDEV_ATTR_RES_RAW);
            let raw = raw.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_RAW"))?;
            return Ok(What::Raw(raw.value.to_vec()));
        }
        Ok(match self.kind {
            Kind::Qp => What::Qp(Qp::decode(attrs)?),
            Kind::CmId => What::CmId(CmId::decode(attrs)?),
            Kind::Cq => What::Cq(Cq::decode(attrs)?),
            Kind::Mr => What::Mr(Mr::decode(attrs)?),
            Kind::Pd => What::Pd(Pd::decode(attrs)?),
            Kind::Ctx => What::Ctx(Ctx::decode(attrs)?),
            Kind::Srq => What::Srq(Srq::decode(attrs)?),
            Kind::FrmrPools => What::FrmrPool(FrmrPool::decode(attrs)?),
        })
    }
}

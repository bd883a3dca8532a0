//! `Qp`: a queue pair as RES_QP_GET shows it.

use crate::wire::nldev::attr_ids::*;
use crate::wire::{Attrs, DecodeError};

/// A queue pair; an attribute that the kernel did not send is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Qp {
    /// Its number; 0 and 1 are those of the management interfaces.
    pub lqpn: u32,
    /// The number at the other end, connected types only.
    pub rqpn: Option<u32>,
    /// `enum ib_qp_type`.
    pub qp_type: u8,
    /// What a type of the driver's own is (Linux 6.10).
    pub subtype: Option<String>,
    /// `enum ib_qp_state`.
    pub state: u8,
    /// Packet sequence number of the receive queue, connected types only.
    pub rq_psn: Option<u32>,
    /// Packet sequence number of the send queue.
    pub sq_psn: u32,
    /// `enum ib_mig_state`, connected types only.
    pub path_mig_state: Option<u8>,
    /// Number of its protection domain, not of the kernel's own.
    pub pdn: Option<u32>,
}

impl Qp {
    /// Reads the attributes of one of them.
    pub(super) fn decode(attrs: Attrs<'_>) -> Result<Self, DecodeError> {
        let mut qp = Self::default();
        let (mut lqpn, mut qp_type, mut state, mut sq_psn) = (None, None, None, None);
        for attr in attrs {
            match attr.id {
                RDMA_NLDEV_ATTR_RES_LQPN => lqpn = attr.u32(),
                RDMA_NLDEV_ATTR_RES_RQPN => qp.rqpn = attr.u32(),
                RDMA_NLDEV_ATTR_RES_TYPE => qp_type = attr.u8(),
                RDMA_NLDEV_ATTR_RES_SUBTYPE => qp.subtype = Some(attr.text()),
                RDMA_NLDEV_ATTR_RES_STATE => state = attr.u8(),
                RDMA_NLDEV_ATTR_RES_RQ_PSN => qp.rq_psn = attr.u32(),
                RDMA_NLDEV_ATTR_RES_SQ_PSN => sq_psn = attr.u32(),
                RDMA_NLDEV_ATTR_RES_PATH_MIG_STATE => qp.path_mig_state = attr.u8(),
                RDMA_NLDEV_ATTR_RES_PDN => qp.pdn = attr.u32(),
                _ => {}
            }
        }
        qp.lqpn = lqpn.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_LQPN"))?;
        qp.qp_type = qp_type.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_TYPE"))?;
        qp.state = state.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_STATE"))?;
        qp.sq_psn = sq_psn.ok_or(DecodeError::Missing("RDMA_NLDEV_ATTR_RES_SQ_PSN"))?;
        Ok(qp)
    }
}

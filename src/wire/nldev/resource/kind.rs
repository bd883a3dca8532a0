//! `Kind` and `Query`: which objects are asked for, by which command, in which form.

use crate::wire::Request;
use crate::wire::nldev::attr_ids::*;
use crate::wire::nldev::{message_type, op};

/// The kinds of object, in iproute2's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Queue pairs.
    Qp,
    /// Connections of the connection manager.
    CmId,
    /// Completion queues.
    Cq,
    /// Memory regions.
    Mr,
    /// Protection domains.
    Pd,
    /// Contexts of processes.
    Ctx,
    /// Shared receive queues.
    Srq,
    /// Pools of fast registration memory regions.
    FrmrPools,
}

impl Kind {
    /// All of them; the first that begins with a shortened word is meant.
    pub const ALL: [Self; 8] = [
        Self::Qp,
        Self::CmId,
        Self::Cq,
        Self::Mr,
        Self::Pd,
        Self::Ctx,
        Self::Srq,
        Self::FrmrPools,
    ];

    /// The attribute that holds the objects of a listing, and the one that holds each.
    pub fn table(self) -> (u16, u16) {
        match self {
            Self::Qp => (RDMA_NLDEV_ATTR_RES_QP, RDMA_NLDEV_ATTR_RES_QP_ENTRY),
            Self::CmId => (RDMA_NLDEV_ATTR_RES_CM_ID, RDMA_NLDEV_ATTR_RES_CM_ID_ENTRY),
            Self::Cq => (RDMA_NLDEV_ATTR_RES_CQ, RDMA_NLDEV_ATTR_RES_CQ_ENTRY),
            Self::Mr => (RDMA_NLDEV_ATTR_RES_MR, RDMA_NLDEV_ATTR_RES_MR_ENTRY),
            Self::Pd => (RDMA_NLDEV_ATTR_RES_PD, RDMA_NLDEV_ATTR_RES_PD_ENTRY),
            Self::Ctx => (RDMA_NLDEV_ATTR_RES_CTX, RDMA_NLDEV_ATTR_RES_CTX_ENTRY),
            Self::Srq => (RDMA_NLDEV_ATTR_RES_SRQ, RDMA_NLDEV_ATTR_RES_SRQ_ENTRY),
            Self::FrmrPools => (RDMA_NLDEV_ATTR_FRMR_POOLS, RDMA_NLDEV_ATTR_FRMR_POOL_ENTRY),
        }
    }

    /// The attribute by which one object can be asked for; pools have none.
    pub fn id_attr(self) -> Option<u16> {
        match self {
            Self::Qp => Some(RDMA_NLDEV_ATTR_RES_LQPN),
            Self::CmId => Some(RDMA_NLDEV_ATTR_RES_CM_IDN),
            Self::Cq => Some(RDMA_NLDEV_ATTR_RES_CQN),
            Self::Mr => Some(RDMA_NLDEV_ATTR_RES_MRN),
            Self::Pd => Some(RDMA_NLDEV_ATTR_RES_PDN),
            Self::Ctx => Some(RDMA_NLDEV_ATTR_RES_CTXN),
            Self::Srq => Some(RDMA_NLDEV_ATTR_RES_SRQN),
            Self::FrmrPools => None,
        }
    }

    /// Whether the objects belong to ports; a question for one of them must then name the port.
    pub fn has_ports(self) -> bool {
        matches!(self, Self::Qp | Self::CmId)
    }

    fn op(self) -> u16 {
        match self {
            Self::Qp => op::RES_QP_GET,
            Self::CmId => op::RES_CM_ID_GET,
            Self::Cq => op::RES_CQ_GET,
            Self::Mr => op::RES_MR_GET,
            Self::Pd => op::RES_PD_GET,
            Self::Ctx => op::RES_CTX_GET,
            Self::Srq => op::RES_SRQ_GET,
            Self::FrmrPools => op::FRMR_POOLS_GET,
        }
    }

    fn raw_op(self) -> Option<u16> {
        match self {
            Self::Qp => Some(op::RES_QP_GET_RAW),
            Self::Cq => Some(op::RES_CQ_GET_RAW),
            Self::Mr => Some(op::RES_MR_GET_RAW),
            Self::Srq => Some(op::RES_SRQ_GET_RAW),
            Self::CmId | Self::Pd | Self::Ctx | Self::FrmrPools => None,
        }
    }
}

/// A question for objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Of which kind.
    pub kind: Kind,
    /// In the driver's own form; kinds that have none are shown as ever.
    pub raw: bool,
    /// With what the driver adds, and with the objects it made for itself.
    pub driver_details: bool,
}

impl Query {
    /// Whether the answer is in the driver's own form.
    pub fn is_raw(&self) -> bool {
        self.raw && self.kind.raw_op().is_some()
    }

    /// The message type of the command.
    pub fn message_type(&self) -> u16 {
        let raw = self.kind.raw_op().filter(|_| self.raw);
        message_type(raw.unwrap_or(self.kind.op()))
    }

    /// Lists the objects of a device, or of one port of it.
    pub fn dump(&self, device: u32, port: Option<u32>) -> Request {
        self.about(Request::dump(self.message_type()), device, port)
    }

    /// Asks for one object; `None` for kinds that cannot be asked for so.
    pub fn get(&self, device: u32, port: Option<u32>, id: u32) -> Option<Request> {
        let request = self.about(Request::new(self.message_type()), device, port);
        Some(request.u32(self.kind.id_attr()?, id))
    }

    fn about(&self, request: Request, device: u32, port: Option<u32>) -> Request {
        let mut request = request.u32(RDMA_NLDEV_ATTR_DEV_INDEX, device);
        if let Some(port) = port {
            request = request.u32(RDMA_NLDEV_ATTR_PORT_INDEX, port);
        }
        if self.driver_details {
            request = request.u8(RDMA_NLDEV_ATTR_DRIVER_DETAILS, 1);
        }
        request
    }
}

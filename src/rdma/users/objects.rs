//! The objects of a device as the kernel of a test has them.

use nix::errno::Errno;

use crate::kernel::fake::Answer;
use crate::wire::Request;
use crate::wire::nldev::attr_ids::*;
use crate::wire::nldev::device::Device;
use crate::wire::nldev::{message_type, op};

/// An object: its process or its part of the kernel, and the port it is at.
#[derive(Clone, Copy)]
pub(in crate::rdma) enum By {
    Pid(u32),
    Nobody,
    Kernel(&'static str),
}

/// What a device has: contexts, connections with their port, queue pairs with their type.
#[derive(Clone, Default)]
pub(in crate::rdma) struct Objects {
    pub contexts: Vec<By>,
    pub cm_ids: Vec<(By, Option<u32>)>,
    pub qps: Vec<(By, u8)>,
    /// As before 5.13.
    pub contexts_are_secret: bool,
}

impl Objects {
    /// The answer of a kernel to a question for them.
    pub(in crate::rdma) fn answer(&self, kind: u16) -> Answer {
        const RES_GET: u16 = message_type(op::RES_GET);
        const CTX_GET: u16 = message_type(op::RES_CTX_GET);
        const CM_ID_GET: u16 = message_type(op::RES_CM_ID_GET);
        const QP_GET: u16 = message_type(op::RES_QP_GET);
        const CHARDEV: u16 = message_type(op::GET_CHARDEV);
        let device = Request::new(0)
            .u32(RDMA_NLDEV_ATTR_DEV_INDEX, 0)
            .text(RDMA_NLDEV_ATTR_DEV_NAME, "rxe0");
        let by = |entry: Request, by: &By| match by {
            By::Pid(pid) => entry.u32(RDMA_NLDEV_ATTR_RES_PID, *pid),
            By::Kernel(name) => entry.text(RDMA_NLDEV_ATTR_RES_KERN_NAME, name),
            By::Nobody => entry,
        };
        let body = match kind {
            RES_GET => device.nest(RDMA_NLDEV_ATTR_RES_SUMMARY, |table| {
                let counts = [
                    ("qp", self.qps.len()),
                    ("cm_id", self.cm_ids.len()),
                    ("ctx", self.contexts.len()),
                ];
                counts.into_iter().fold(table, |table, (name, count)| {
                    table.nest(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY, |entry| {
                        entry
                            .text(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME, name)
                            .u64(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR, count as u64)
                    })
                })
            }),
            CTX_GET if !self.contexts_are_secret => device.nest(RDMA_NLDEV_ATTR_RES_CTX, |table| {
                self.contexts.iter().fold(table, |table, maker| {
                    table.nest(RDMA_NLDEV_ATTR_RES_CTX_ENTRY, |entry| {
                        by(entry, maker).u32(RDMA_NLDEV_ATTR_RES_CTXN, 0)
                    })
                })
            }),
            CM_ID_GET => device.nest(RDMA_NLDEV_ATTR_RES_CM_ID, |table| {
                self.cm_ids.iter().fold(table, |table, (maker, port)| {
                    table.nest(RDMA_NLDEV_ATTR_RES_CM_ID_ENTRY, |entry| {
                        let entry = by(entry, maker)
                            .u8(RDMA_NLDEV_ATTR_RES_STATE, 9)
                            .u32(RDMA_NLDEV_ATTR_RES_PS, 0x106);
                        match port {
                            Some(port) => entry.u32(RDMA_NLDEV_ATTR_PORT_INDEX, *port),
                            None => entry,
                        }
                    })
                })
            }),
            QP_GET => device.nest(RDMA_NLDEV_ATTR_RES_QP, |table| {
                self.qps.iter().fold(table, |table, (maker, qp_type)| {
                    table.nest(RDMA_NLDEV_ATTR_RES_QP_ENTRY, |entry| {
                        by(entry, maker)
                            .u32(RDMA_NLDEV_ATTR_RES_LQPN, 17)
                            .u8(RDMA_NLDEV_ATTR_RES_TYPE, *qp_type)
                            .u8(RDMA_NLDEV_ATTR_RES_STATE, 3)
                            .u32(RDMA_NLDEV_ATTR_RES_SQ_PSN, 0)
                    })
                })
            }),
            // /dev/null stands for the device file.
            CHARDEV => device
                .text(RDMA_NLDEV_ATTR_CHARDEV_NAME, "uverbs0")
                .u64(RDMA_NLDEV_ATTR_CHARDEV, 1 << 8 | 3),
            _ => return Answer::Refused(Errno::EINVAL, None),
        };
        Answer::Data(vec![body.body().to_vec()])
    }
}

pub(in crate::rdma) fn rxe0() -> Device {
    Device {
        name: "rxe0".to_owned(),
        ..Device::default()
    }
}

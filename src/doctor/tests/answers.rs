//! What the kernel of a bench answers: nldev about devices and ports, rtnetlink about interfaces.

use std::sync::Arc;

use nix::errno::Errno;

use super::bench::{Bench, Device, Netdev};
use crate::kernel::fake::{Answer, Kernel};
use crate::types::Guid;
use crate::wire::link::vf::Vf as Told;
use crate::wire::nldev::attr_ids::*;
use crate::wire::nldev::{message_type, op};
use crate::wire::{Attrs, Request};

/// The kernel of a bench.
pub fn kernel(bench: Bench) -> Kernel {
    const GET: u16 = message_type(op::GET);
    const PORT_GET: u16 = message_type(op::PORT_GET);
    const SYS_GET: u16 = message_type(op::SYS_GET);
    const RTM_GETLINK: u16 = 18;
    Arc::new(move |kind, body| match kind {
        GET => Answer::Data(bench.devices.iter().zip(0..).map(device).collect()),
        PORT_GET => {
            let index = Attrs::new(body).find(RDMA_NLDEV_ATTR_DEV_INDEX);
            let index = index.and_then(|attr| attr.u32()).unwrap_or(u32::MAX);
            match bench.devices.get(index as usize) {
                Some(device) => Answer::Data(vec![port((device, index))]),
                None => Answer::Refused(Errno::EINVAL, None),
            }
        }
        SYS_GET => {
            let settings = Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, bench.mode);
            let settings = match bench.qkey {
                Some(on) => settings.u8(RDMA_NLDEV_SYS_ATTR_PRIVILEGED_QKEY_MODE, on.into()),
                None => settings,
            };
            Answer::Data(vec![settings.body().to_vec()])
        }
        RTM_GETLINK => {
            let index = u32::from_ne_bytes(body[4..8].try_into().unwrap());
            let netdev = index
                .checked_sub(1)
                .and_then(|at| bench.netdevs.get(at as usize));
            match netdev {
                // IFLA_EXT_MASK with RTEXT_FILTER_VF; a listing has no index.
                _ if bench.cramped && body.get(20).is_some_and(|mask| mask & 1 == 1) => {
                    Answer::Refused(Errno::EMSGSIZE, None)
                }
                Some(netdev) if bench.cramped => {
                    let vfs = Vec::new();
                    let netdev = Netdev {
                        vfs,
                        ..netdev.clone()
                    };
                    Answer::Data(vec![link(&netdev, index)])
                }
                Some(netdev) => Answer::Data(vec![link(netdev, index)]),
                None => Answer::Refused(Errno::ENODEV, None),
            }
        }
        _ => Answer::Refused(Errno::EINVAL, None),
    })
}
fn device((device, index): (&Device, u32)) -> Vec<u8> {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, &device.name)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
        .text(RDMA_NLDEV_ATTR_DEV_PROTOCOL, device.protocol)
        .u64(RDMA_NLDEV_ATTR_NODE_GUID, device.guid)
        .body()
        .to_vec()
}

fn port((device, index): (&Device, u32)) -> Vec<u8> {
    let port = Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, &device.name)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
        .u32(RDMA_NLDEV_ATTR_LID, device.lid)
        .u8(RDMA_NLDEV_ATTR_PORT_STATE, device.state)
        .u8(RDMA_NLDEV_ATTR_PORT_PHYS_STATE, device.physical);
    let port = match device.netdev {
        Some(netdev) => port.text(RDMA_NLDEV_ATTR_NDEV_NAME, netdev),
        None => port,
    };
    port.body().to_vec()
}

/// `struct ifinfomsg`, then IFLA_ADDRESS (1), IFLA_IFNAME (3), IFLA_NUM_VF (21), IFLA_VFINFO_LIST (22).
fn link(netdev: &Netdev, index: u32) -> Vec<u8> {
    let mut fixed = [0; 16];
    fixed[2..4].copy_from_slice(&netdev.hardware.to_ne_bytes());
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    let link = Request::new(0)
        .fixed(&fixed)
        .bytes(1, &netdev.address)
        .text(3, &netdev.name)
        .u32(21, netdev.vfs.len() as u32);
    let list = |list| {
        netdev
            .vfs
            .iter()
            .fold(list, |list: Request, vf| list.nest(1, |one| told(one, vf)))
    };
    link.nest(22, list).body().to_vec()
}

/// IFLA_VF_MAC (1), IFLA_VF_LINK_STATE (5), IFLA_VF_IB_NODE_GUID (10), IFLA_VF_IB_PORT_GUID (11).
fn told(info: Request, vf: &Told) -> Request {
    let lead = vf.index.to_ne_bytes().to_vec();
    let with = |rest: &[u8], length: usize| {
        let mut bytes = [&lead, rest].concat();
        bytes.resize(length, 0);
        bytes
    };
    let guid = |guid: Guid| with(&[&[0; 4][..], &guid.value().to_ne_bytes()].concat(), 16);
    let mut info = info;
    if let Some(mac) = vf.mac {
        info = info.bytes(1, &with(&mac.bytes(), 36));
    }
    if let Some(state) = vf.state {
        info = info.bytes(5, &with(&state.number().to_ne_bytes(), 8));
    }
    if let Some(node) = vf.node_guid {
        info = info.bytes(10, &guid(node));
    }
    if let Some(port) = vf.port_guid {
        info = info.bytes(11, &guid(port));
    }
    info
}

//! Two devices on a tape, and a line that is run over them.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::device;

use crate::support::{Answer, Ran, Tape, done, entry, play};

pub(crate) const GET: u16 = 0x1401;

pub(crate) fn mlx5(index: u32) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, &format!("mlx5_{index}"))
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
        .u64(RDMA_NLDEV_ATTR_CAP_FLAGS, 1 << 20 | 1 << 40)
        .text(RDMA_NLDEV_ATTR_FW_VERSION, "16.35.4030")
        .u64(
            RDMA_NLDEV_ATTR_NODE_GUID,
            0x0011_2233_4455_6600 + u64::from(index),
        )
        .u64(RDMA_NLDEV_ATTR_SYS_IMAGE_GUID, 0x0011_2233_4455_6600)
        .u8(RDMA_NLDEV_ATTR_DEV_NODE_TYPE, 1)
        .u8(RDMA_NLDEV_ATTR_DEV_DIM, 1)
        .text(RDMA_NLDEV_ATTR_DEV_PROTOCOL, "ib")
}

pub(crate) fn listing() -> Vec<Answer> {
    vec![entry(GET, &mlx5(0)), entry(GET, &mlx5(1)), done(0)]
}

pub(crate) fn devices() -> Tape {
    Tape::default().then(device::dump(), listing())
}

pub(crate) fn call(tape: &Tape, line: &str, terminal: Option<u16>) -> Ran {
    let root = tempfile::tempdir().unwrap();
    play(tape, root.path(), line, "", terminal)
}

#[track_caller]
pub(crate) fn printed(tape: &Tape, line: &str) -> String {
    call(tape, line, None).printed()
}

pub(crate) const MLX5_0: &str = "0: mlx5_0: node_type ca protocol ib fw 16.35.4030 \
                      node_guid 0011:2233:4455:6600 sys_image_guid 0011:2233:4455:6600 ";
pub(crate) const MLX5_1: &str = "1: mlx5_1: node_type ca protocol ib fw 16.35.4030 \
                      node_guid 0011:2233:4455:6601 sys_image_guid 0011:2233:4455:6600 ";

//! Two devices on a tape, their counters, and a line that is run over them.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::device;

use crate::support::{Answer, Ran, Tape, ack, data, done, entry, play};

pub(crate) const GET: u16 = 0x1401;
pub(crate) const STAT: u16 = 0x1411;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ENOENT: i32 = 2;

pub(crate) fn named(index: u32) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, &format!("mlx5_{index}"))
}

pub(crate) fn mlx5(index: u32, ports: u32) -> Request {
    named(index).u32(RDMA_NLDEV_ATTR_PORT_INDEX, ports)
}

/// Two devices; the second has two ports.
pub(crate) fn devices() -> Tape {
    let listing = vec![entry(GET, &mlx5(0, 1)), entry(GET, &mlx5(1, 2)), done(0)];
    Tape::default().then(device::dump(), listing)
}

pub(crate) fn counters(request: Request, values: &[(&str, u64)]) -> Request {
    request.nest(RDMA_NLDEV_ATTR_STAT_HWCOUNTERS, |table| {
        values.iter().fold(table, |table, (name, value)| {
            table.nest(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY, |entry| {
                entry
                    .text(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME, name)
                    .u64(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_VALUE, *value)
            })
        })
    })
}

pub(crate) fn answer(content: &Request) -> Vec<Answer> {
    vec![data(STAT, content), ack(0)]
}

pub(crate) fn call(tape: &Tape, line: &str, terminal: Option<u16>) -> Ran {
    let root = tempfile::tempdir().unwrap();
    play(tape, root.path(), line, "", terminal)
}

#[track_caller]
pub(crate) fn printed(tape: &Tape, line: &str) -> String {
    call(tape, line, None).printed()
}

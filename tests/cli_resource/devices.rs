//! Two devices on a tape, listings of their objects, and a line that is run over them.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::device;
use rdmactl::wire::nldev::resource::{Kind, Query};

use crate::support::{Answer, Ran, Tape, done, entry, play};

pub(crate) fn mlx5(index: u32) -> Request {
    about(index).u32(RDMA_NLDEV_ATTR_PORT_INDEX, 2)
}

pub(crate) fn about(index: u32) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, &format!("mlx5_{index}"))
}

pub(crate) fn devices() -> Tape {
    let listing = vec![entry(0x1401, &mlx5(0)), entry(0x1401, &mlx5(1)), done(0)];
    Tape::default().then(device::dump(), listing)
}

pub(crate) fn query(kind: Kind) -> Query {
    Query {
        kind,
        raw: false,
        driver_details: false,
    }
}

/// A listing of one device: the objects' attributes in their table.
pub(crate) fn table(kind: Kind, index: u32, objects: &[Request]) -> Answer {
    let (table, each) = kind.table();
    let inner = objects.iter().fold(Request::new(0), |inner, object| {
        inner.bytes(each, object.body())
    });
    entry(
        query(kind).message_type(),
        &about(index).bytes(table, inner.body()),
    )
}

pub(crate) fn call(tape: &Tape, line: &str, terminal: Option<u16>) -> Ran {
    let root = tempfile::tempdir().unwrap();
    let process = root.path().join("proc/42");
    std::fs::create_dir_all(&process).unwrap();
    std::fs::write(process.join("comm"), "rping\n").unwrap();
    std::fs::write(process.join("cgroup"), "0::/system.slice/nfs.service\n").unwrap();
    play(tape, root.path(), line, "", terminal)
}

#[track_caller]
pub(crate) fn printed(tape: &Tape, line: &str) -> String {
    call(tape, line, None).printed()
}

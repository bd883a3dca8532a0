//! Devices on a tape, and readings of their counters.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::device;
use rdmactl::wire::nldev::statistic::port;

use crate::support::{Answer, Tape, ack, data, done, entry};

pub(crate) const GET: u16 = 0x1401;
pub(crate) const STAT: u16 = 0x1411;
pub(crate) const ENOBUFS: i32 = 105;
pub(crate) const EINVAL: i32 = 22;

pub(crate) fn named(index: u32, name: &str) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, name)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
}

pub(crate) fn listing(devices: &[(u32, &str)]) -> Vec<Answer> {
    let devices = devices.iter();
    let found = devices.map(|(index, name)| entry(GET, &named(*index, name)));
    found.chain([done(0)]).collect()
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

/// One reading of the counters of one device's port.
pub(crate) fn reading(tape: Tape, (index, name): (u32, &str), values: &[(&str, u64)]) -> Tape {
    let content = counters(named(index, name), values);
    tape.then(device::dump(), listing(&[(index, name)]))
        .then(port::get(index, 1), vec![data(STAT, &content), ack(0)])
}

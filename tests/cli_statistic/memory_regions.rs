//! Counters of memory regions.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::statistic::memory_region;

use crate::devices::{ENOENT, STAT, answer, counters, devices, named, printed};
use crate::support::{ack, done, entry};

#[test]
fn counters_of_memory_regions() {
    let in_message = |message: Request, mrn| {
        let entry = message.u32(RDMA_NLDEV_ATTR_RES_MRN, mrn);
        counters(entry, &[("page_faults", 3)])
    };
    let region = |mrn| in_message(Request::new(0), mrn);
    let both = named(0).nest(RDMA_NLDEV_ATTR_RES_MR, |table| {
        table
            .bytes(RDMA_NLDEV_ATTR_RES_MR_ENTRY, region(0).body())
            .bytes(RDMA_NLDEV_ATTR_RES_MR_ENTRY, region(7).body())
    });
    let tape = || {
        devices()
            .then(
                memory_region::dump(0, false),
                vec![entry(STAT, &both), done(0)],
            )
            .then(memory_region::dump(1, false), vec![done(0)])
    };
    let line = |mrn| format!("dev mlx5_0 mrn {mrn} \n    page_faults 3 \n");
    assert_eq!(
        printed(&tape(), "rdma stat m"),
        format!("{}{}", line(0), line(7))
    );
    assert_eq!(printed(&tape(), "rdma stat show mr mrn 5-9"), line(7));
    // A single one is asked for by its number; where that fails, a listing tells.
    let seven = answer(&in_message(named(0), 7));
    let one = devices().then(memory_region::get(0, 7, false), seven);
    assert_eq!(printed(&one, "rdma stat mr mrn 7 dev mlx5_0"), line(7));
    let listed = devices()
        .then(memory_region::get(0, 0, false), vec![ack(ENOENT)])
        .then(
            memory_region::dump(0, false),
            vec![entry(STAT, &both), done(0)],
        );
    assert_eq!(printed(&listed, "rdma stat mr mrn 0 dev mlx5_0"), line(0));
    let details = devices()
        .then(memory_region::get(0, 9, true), vec![ack(ENOENT)])
        .then(
            memory_region::dump(0, true),
            vec![entry(STAT, &both), done(0)],
        );
    assert_eq!(printed(&details, "rdma -dd stat mr mrn 9 dev mlx5_0"), "");
}

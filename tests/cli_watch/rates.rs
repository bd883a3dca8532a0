//! Rates: from the second reading on, in every form.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::device;
use rdmactl::wire::nldev::statistic::{memory_region, port, queue_pair};

use crate::devices::{GET, STAT, counters, listing, named, reading};
use crate::reader::{call, lines};
use crate::support::{Tape, ack, data, done, entry};

/// Rates from the second frame on, by index; what went back or is new has none.
#[test]
fn rates_between_frames() {
    let tape = Tape::default();
    let tape = reading(tape, (3, "mlx5_0"), &[("rx", 100), ("tx", 9)]);
    let tape = reading(
        tape,
        (3, "pod0"),
        &[("rx", u64::MAX), ("tx", 8), ("new", 1)],
    );
    let tape = reading(
        tape,
        (3, "pod0"),
        &[("rx", u64::MAX), ("tx", 9), ("new", 1)],
    );
    let tape = reading(tape, (4, "pod0"), &[("rx", u64::MAX), ("tx", 9)]);
    let tape = reading(tape, (4, "pod0"), &[]);
    let ran = call(&tape, "rdmactl -j --watch 0.1 statistic --rate", 4);
    let frames = lines(&ran);
    let row = |frame: usize| frames[frame]["rows"][0].as_object().unwrap();
    let keys = |frame| row(frame).keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(keys(0), ["ifname", "port", "rx", "tx"]);
    assert_eq!(
        keys(1),
        ["ifname", "port", "rx", "rx_per_second", "tx", "new"]
    );
    let rate = row(1)["rx_per_second"].as_f64().unwrap();
    // Not by the nominal tenth of a second, but by the time that passed, which is no shorter.
    let most = u64::MAX as f64 / 0.09;
    assert!(rate > most / 1000.0 && rate < most, "{rate}");
    assert_eq!(row(1)["rx"].as_u64(), Some(u64::MAX));
    assert_eq!(row(2)["rx_per_second"], 0);
    assert!(row(2)["tx_per_second"].as_f64().unwrap() > 0.0);
    // Another device under the same name.
    assert_eq!(keys(3), ["ifname", "port", "rx", "tx"]);
}

#[test]
fn a_rate_without_watching_takes_two_readings_a_second_apart() {
    let tape = reading(Tape::default(), (0, "mlx5_0"), &[("rx", 100), ("tx", 5)]);
    let again = named(0, "mlx5_0");
    let later = counters(again.clone(), &[("rx", 1100), ("tx", 5), ("new", 1)]);
    let tape = tape
        .then(device::get(0), vec![data(GET, &again)])
        .then(port::get(0, 1), vec![data(STAT, &later), ack(0)]);
    let ran = call(&tape, "rdma statistic show link mlx5_0/1 --rate", 9);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], "link mlx5_0/1 ");
    let rate = lines[1].strip_prefix("    rx 1100 per_second ").unwrap();
    let rate: f64 = rate.trim_end().parse().unwrap();
    assert!(rate > 100.0 && rate <= 1000.0, "{rate}");
    assert_eq!(lines[2..], ["    tx 5 per_second 0 ", "    new 1 "]);
    // Nothing to wait a second for.
    let none = Tape::default().then(device::dump(), listing(&[]));
    assert_eq!(call(&none, "rdmactl -j stat --rate", 9).out, "[]\n");
}

#[test]
fn rates_of_queue_pairs_and_memory_regions() {
    let bound = |value| {
        named(0, "mlx5_0").nest(RDMA_NLDEV_ATTR_STAT_COUNTER, |table| {
            table.nest(RDMA_NLDEV_ATTR_STAT_COUNTER_ENTRY, |entry| {
                let entry = entry
                    .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
                    .u32(RDMA_NLDEV_ATTR_STAT_COUNTER_ID, 4);
                counters(entry, &[("rx", value)])
            })
        })
    };
    let region = |value| {
        named(0, "mlx5_0").nest(RDMA_NLDEV_ATTR_RES_MR, |table| {
            table.nest(RDMA_NLDEV_ATTR_RES_MR_ENTRY, |entry| {
                let entry = entry.u32(RDMA_NLDEV_ATTR_RES_MRN, 7);
                counters(entry, &[("page_faults", value)])
            })
        })
    };
    let read = |tape: Tape, request, content: &Request| {
        tape.then(device::dump(), listing(&[(0, "mlx5_0")]))
            .then(request, vec![entry(STAT, content), done(0)])
    };
    let tape = read(Tape::default(), queue_pair::dump(0), &bound(3));
    let tape = read(tape, queue_pair::dump(0), &bound(3));
    let ran = call(&tape, "rdma -o stat qp --rate", 9);
    let expected = "link mlx5_0/1 cntn 4 \\    rx 3 per_second 0 \\    LQPN: <>\n";
    assert_eq!(ran.out, expected);
    let request = || memory_region::dump(0, false);
    let tape = read(Tape::default(), request(), &region(3));
    let tape = read(tape, request(), &region(3));
    let ran = call(&tape, "rdmactl -j stat mr --rate", 9);
    assert_eq!(
        ran.out,
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"mrn\":7,\"page_faults\":3,\"page_faults_per_second\":0}\n]\n"
    );
}

#[test]
fn a_table_has_a_column_for_rates() {
    let tape = reading(Tape::default(), (0, "mlx5_0"), &[("rx", 5)]);
    let tape = reading(tape, (0, "mlx5_0"), &[("rx", 5), ("new", 1)]);
    let ran = call(&tape, "rdmactl --format table stat --rate", 9);
    let expected = "DEVICE  PORT  NAME  VALUE  PER SECOND\n\
                    mlx5_0  1     rx    5      0\n\
                    mlx5_0  1     new   1\n";
    assert_eq!(ran.out, expected);
    // It is there before the first rate is.
    let tape = reading(Tape::default(), (0, "mlx5_0"), &[("rx", 5)]);
    let tape = reading(tape, (0, "mlx5_0"), &[("rx", 5)]);
    let ran = call(&tape, "rdmactl --format table --watch 0.1 stat --rate", 1);
    assert!(ran.out.contains("  VALUE  PER SECOND\n"), "{}", ran.out);
}

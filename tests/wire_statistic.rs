//! Counters on the wire: bytes that a real kernel sent, hostile bytes, and requests as iproute2 sends them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use proptest::prelude::*;
use rdmactl::types::AutoCriteria;
use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::statistic::memory_region::{self, MrCounters};
use rdmactl::wire::nldev::statistic::mode::{self, Mode};
use rdmactl::wire::nldev::statistic::optional::{self, OptionalCounter};
use rdmactl::wire::nldev::statistic::port::{self, PortCounters};
use rdmactl::wire::nldev::statistic::queue_pair::{self, QpCounters};
use support::capture;

/// Whatever comes back: nothing panics.
fn decode_all(bytes: &[u8]) {
    let _ = PortCounters::decode(bytes);
    let _ = QpCounters::decode_all(bytes);
    let _ = QpCounters::decode(bytes);
    let _ = MrCounters::decode_all(bytes);
    let _ = MrCounters::decode(bytes);
    let _ = OptionalCounter::decode_all(bytes);
    let _ = Mode::decode(bytes).auto();
    let _ = mode::bound(bytes);
}

#[test]
fn counters_of_a_port() {
    let read = PortCounters::decode(&capture("stat-port")).unwrap();
    let find = |name: &str| {
        let mut counters = read.counters.iter();
        counters
            .find(|each| each.name == name)
            .map(|each| each.value)
    };
    assert_eq!(read.counters.len(), 13);
    assert_eq!(read.counters[0].name, "rx_write_requests");
    // Neither 32 bits nor a double hold it.
    assert!(find("rx_icrc_encapsulated").unwrap() > 1 << 60);
    assert!(find("cc_rx_ce_pkts").is_some());
    assert_eq!(find("cc_rx_cnp_pkts"), None);
}

#[test]
fn a_counter_of_two_queue_pairs() {
    let read = QpCounters::decode_all(&capture("stat-qp")).unwrap();
    assert_eq!(read.len(), 1);
    let counter = &read[0];
    assert_eq!(
        (counter.port, counter.id, counter.qp_type, counter.pid),
        (Some(1), 1, Some(2), None)
    );
    assert_eq!(counter.lqpns, [256, 257]);
    assert_eq!(counter.counters.len(), 10);
    assert_eq!(counter.counters[9].value, 19);
}

#[test]
fn a_mode_a_memory_region_and_optional_counters() {
    let read = Mode::decode(&capture("stat-qp-mode"));
    assert_eq!(read.auto().unwrap().to_string(), "type");
    // Linux 6.15 sends it.
    assert_eq!(read.optional, None);
    let regions = MrCounters::decode_all(&capture("stat-mr")).unwrap();
    assert_eq!((regions.len(), regions[0].mrn), (1, Some(4)));
    assert_eq!(regions[0].counters[0].name, "page_faults");
    assert_eq!(regions[0].counters[0].value, 3);
    let optional = OptionalCounter::decode_all(&capture("stat-optional")).unwrap();
    let seen: Vec<_> = optional
        .iter()
        .map(|each| (each.name.as_str(), each.index, each.on))
        .collect();
    assert_eq!(
        seen,
        [
            ("cc_rx_ce_pkts", 12, true),
            ("cc_rx_cnp_pkts", 13, false),
            ("cc_tx_cnp_pkts", 14, false)
        ]
    );
}

#[test]
fn no_beginning_of_a_capture_panics() {
    for name in [
        "stat-port",
        "stat-qp",
        "stat-qp-mode",
        "stat-mr",
        "stat-optional",
    ] {
        let bytes = capture(name);
        for end in 0..bytes.len() {
            decode_all(&bytes[..end]);
        }
    }
}

/// Numbers and order of the attributes: as the kernel reads them in `nldev_stat_*_doit`.
#[test]
fn requests() {
    let attrs = |request: &Request| {
        let attrs = rdmactl::wire::Attrs::new(request.body());
        let ids: Vec<u16> = attrs.map(|attr| attr.id).collect();
        (request.kind(), request.is_dump(), ids)
    };
    assert_eq!(attrs(&port::get(2, 1)), (0x1411, false, vec![1, 3]));
    assert_eq!(attrs(&mode::get(2, 1)), (0x1411, false, vec![1, 3, 74, 75]));
    assert_eq!(attrs(&queue_pair::dump(2)), (0x1411, true, vec![1, 75]));
    assert_eq!(
        attrs(&queue_pair::get(2, 1, 5)),
        (0x1411, false, vec![1, 3, 75, 79])
    );
    assert_eq!(
        attrs(&memory_region::dump(2, false)),
        (0x1411, true, vec![1, 75])
    );
    assert_eq!(attrs(&memory_region::dump(2, true)).2, [1, 75, 97]);
    assert_eq!(
        attrs(&memory_region::get(2, 7, false)),
        (0x1411, false, vec![1, 75, 62])
    );
    assert_eq!(attrs(&optional::get(2, 1)), (0x1418, false, vec![1, 3]));
    assert_eq!(
        attrs(&optional::set(2, 1, &[12, 14])),
        (0x1410, false, vec![1, 3, 80])
    );
    let criteria: AutoCriteria = "pid".parse().unwrap();
    assert_eq!(
        attrs(&mode::set_auto(2, 1, criteria, None)),
        (0x1410, false, vec![1, 3, 75, 74, 76])
    );
    assert_eq!(
        attrs(&mode::set_auto(2, 1, criteria, Some(true))).2,
        [1, 3, 75, 74, 76, 104]
    );
    assert_eq!(
        attrs(&mode::bind(2, 1, 256, Some(4))),
        (0x1410, false, vec![1, 3, 74, 75, 21, 79])
    );
    assert_eq!(attrs(&mode::bind(2, 1, 256, None)).2, [1, 3, 74, 75, 21]);
    assert_eq!(
        attrs(&mode::unbind(2, 1, 4, 256)),
        (0x1412, false, vec![1, 3, 74, 75, 79, 21])
    );
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        decode_all(&bytes);
    }

    /// Nests of the right numbers around noise reach deeper than noise does.
    #[test]
    fn no_nests_make_a_decoder_panic(
        outer in prop::sample::select(vec![40u16, 77, 80]),
        middle in prop::sample::select(vec![41u16, 78, 81]),
        attrs in proptest::collection::vec((0u16..130, proptest::collection::vec(any::<u8>(), 0..40)), 0..12),
        cut in 0usize..64,
    ) {
        let request = Request::new(0).nest(outer, |table| table.nest(middle, |entry| {
            attrs.iter().fold(entry, |entry, (id, value)| entry.bytes(*id, value))
        }));
        let body = request.body();
        decode_all(&body[..body.len().saturating_sub(cut)]);
    }

    #[test]
    fn every_bit_of_a_counter_is_kept(names in proptest::collection::vec("[a-z0-9_]{1,40}", 0..20), value: u64) {
        let written = Request::new(0).nest(RDMA_NLDEV_ATTR_STAT_HWCOUNTERS, |table| {
            names.iter().fold(table, |table, name| {
                table.nest(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY, |entry| {
                    entry
                        .text(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME, name)
                        .u64(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_VALUE, value)
                        .u32(4000, 1)
                })
            })
        });
        let read = PortCounters::decode(written.body()).unwrap();
        prop_assert_eq!(read.counters.len(), names.len());
        for (counter, name) in read.counters.iter().zip(&names) {
            prop_assert_eq!((&counter.name, counter.value), (name, value));
        }
    }
}

//! `statistic` over tapes: what it asks the kernel, what it prints, how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use rdmactl::types::AutoCriteria;
use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::device;
use rdmactl::wire::nldev::statistic::{memory_region, mode, optional, port, queue_pair};
use support::{Answer, Ran, Tape, ack, data, done, entry, play};

const GET: u16 = 0x1401;
const STAT: u16 = 0x1411;
const EINVAL: i32 = 22;
const ENOENT: i32 = 2;

fn named(index: u32) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, &format!("mlx5_{index}"))
}

fn mlx5(index: u32, ports: u32) -> Request {
    named(index).u32(RDMA_NLDEV_ATTR_PORT_INDEX, ports)
}

/// Two devices; the second has two ports.
fn devices() -> Tape {
    let listing = vec![entry(GET, &mlx5(0, 1)), entry(GET, &mlx5(1, 2)), done(0)];
    Tape::default().then(device::dump(), listing)
}

fn counters(request: Request, values: &[(&str, u64)]) -> Request {
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

fn answer(content: &Request) -> Vec<Answer> {
    vec![data(STAT, content), ack(0)]
}

fn call(tape: &Tape, line: &str, terminal: Option<u16>) -> Ran {
    let root = tempfile::tempdir().unwrap();
    play(tape, root.path(), line, "", terminal)
}

#[track_caller]
fn printed(tape: &Tape, line: &str) -> String {
    call(tape, line, None).printed()
}

fn one_port() -> Tape {
    let content = counters(named(0), &[("rx", 7), ("tx", u64::MAX)]);
    devices().then(port::get(0, 1), answer(&content))
}

#[test]
fn counters_of_a_port() {
    for line in [
        "rdma stat show link mlx5_0/1",
        "rdma st s l mlx5_0",
        "rdmactl statistic list link mlx5_0/",
    ] {
        assert_eq!(
            printed(&one_port(), line),
            "link mlx5_0/1 \n    rx 7 \n    tx 18446744073709551615 \n"
        );
    }
    assert_eq!(
        printed(&one_port(), "rdma -o stat show link mlx5_0/1"),
        "link mlx5_0/1 \\    rx 7 \\    tx 18446744073709551615 \n"
    );
    assert_eq!(
        printed(&one_port(), "rdma -j stat show link mlx5_0/1"),
        "[{\"ifname\":\"mlx5_0\",\"port\":1,\"rx\":7,\"tx\":18446744073709551615}\n]\n"
    );
    assert_eq!(printed(&devices(), "rdma stat show link mlx5_0/-"), "");
}

/// Counters are too many for columns.
#[test]
fn a_table_has_a_line_for_each_counter() {
    let ran = call(&one_port(), "rdmactl stat show link mlx5_0", Some(80));
    assert_eq!(
        ran.out,
        "DEVICE  PORT  NAME  VALUE\n\
         mlx5_0  1     rx    7\n\
         mlx5_0  1     tx    18446744073709551615\n"
    );
}

#[test]
fn a_device_without_counters_does_not_end_the_listing() {
    let listed = || {
        devices()
            .then(port::get(0, 1), vec![ack(EINVAL)])
            .then(device::get(0), vec![data(GET, &mlx5(0, 1)), ack(0)])
            .then(port::get(1, 1), answer(&counters(named(1), &[("rx", 1)])))
            // This one goes away between the listing and the question.
            .then(port::get(1, 2), vec![ack(EINVAL)])
            .then(device::get(1), vec![ack(EINVAL)])
    };
    let ran = call(&listed(), "rdma stat", None);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (1, "link mlx5_1/1 \n    rx 1 \n")
    );
    assert_eq!(
        ran.err,
        "error: Invalid argument\ncause: mlx5_0/1 has no hardware counters: its driver does not offer them\n"
    );
    let ran = call(&listed(), "rdma -j stat", None);
    assert_eq!(ran.out, "[{\"ifname\":\"mlx5_1\",\"port\":1,\"rx\":1}\n]\n");
}

fn bound() -> Request {
    named(0).nest(RDMA_NLDEV_ATTR_STAT_COUNTER, |table| {
        let one = |entry: Request, id, kind, qps: &[u32]| {
            let entry = entry
                .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
                .u32(RDMA_NLDEV_ATTR_STAT_COUNTER_ID, id)
                .u8(RDMA_NLDEV_ATTR_RES_TYPE, kind)
                .nest(RDMA_NLDEV_ATTR_RES_QP, |table| {
                    qps.iter().fold(table, |table, qp| {
                        table.nest(RDMA_NLDEV_ATTR_RES_QP_ENTRY, |entry| {
                            entry.u32(RDMA_NLDEV_ATTR_RES_LQPN, *qp)
                        })
                    })
                });
            counters(entry, &[("rx", 3)])
        };
        table
            .nest(RDMA_NLDEV_ATTR_STAT_COUNTER_ENTRY, |entry| {
                one(entry, 4, 2, &[178, 179])
            })
            .nest(RDMA_NLDEV_ATTR_STAT_COUNTER_ENTRY, |entry| {
                let entry = entry.text(RDMA_NLDEV_ATTR_RES_KERN_NAME, "ib_core");
                one(entry, 5, 4, &[1])
            })
    })
}

fn queue_pairs() -> Tape {
    devices().then(queue_pair::dump(0), vec![entry(STAT, &bound()), done(0)])
}

#[test]
fn counters_of_queue_pairs_and_filters() {
    let first = "link mlx5_0/1 cntn 4 qp-type RC \n    rx 3 \n    LQPN: <178,179>\n";
    let second = "link mlx5_0/1 cntn 5 qp-type UD comm [ib_core] \n    rx 3 \n    LQPN: <1>\n";
    for (filter, shown) in [
        ("", format!("{first}{second}")),
        (" cntn 4", first.to_owned()),
        (" cntn 1-4,9", first.to_owned()),
        (" lqpn 179", first.to_owned()),
        (" qp-type ud,uc", second.to_owned()),
        (" q rc cntn 5", String::new()),
        (" pid 1", String::new()),
    ] {
        let line = format!("rdma stat qp show link mlx5_0{filter}");
        assert_eq!(printed(&queue_pairs(), &line), shown, "{line}");
    }
    assert_eq!(
        printed(&queue_pairs(), "rdma -j stat qp s l mlx5_0/1 c 5"),
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"port\":1,\"cntn\":5,\"qp-type\":\"UD\",\"comm\":\"ib_core\",\"rx\":3,\"lqpn\":[1]}\n]\n"
    );
}

#[test]
fn modes() {
    let told = |mask: Option<u32>| {
        let mode = named(0).u32(RDMA_NLDEV_ATTR_STAT_MODE, u32::from(mask.is_some()));
        match mask {
            Some(mask) => mode
                .u32(RDMA_NLDEV_ATTR_STAT_AUTO_MODE_MASK, mask)
                .u8(RDMA_NLDEV_ATTR_STAT_OPCOUNTER_ENABLED, 1),
            None => mode,
        }
    };
    for (mask, shown) in [
        (None, "qp auto off"),
        (Some(1), "qp auto type on optional-counters on"),
        (Some(3), "qp auto type,pid on optional-counters on"),
    ] {
        let tape = || devices().then(mode::get(0, 1), answer(&told(mask)));
        for line in [
            "rdma stat qp mode link mlx5_0/1",
            "rdma stat qp set link mlx5_0/1",
        ] {
            assert_eq!(
                printed(&tape(), line),
                format!("link mlx5_0/1 mode {shown} \n")
            );
        }
    }
    let criteria: AutoCriteria = "type".parse().unwrap();
    let set = |now| {
        devices()
            .then(mode::set_auto(0, 1, criteria, None), answer(&named(0)))
            .then(mode::get(0, 1), answer(&told(now)))
    };
    let line = "rdma stat qp set link mlx5_0/1 auto type on";
    assert_eq!(printed(&set(Some(1)), line), "");
    let ran = call(&set(None), line, None);
    assert!(
        ran.code == 1 && ran.err.contains("did not happen"),
        "{ran:?}"
    );
    let line = "rdmactl --dry-run stat qp set link mlx5_0 auto off";
    assert_eq!(
        printed(&devices(), line),
        "would end the automatic mode of mlx5_0/1\n"
    );
}

#[test]
fn binding_tells_the_counter_in_our_own_dialect() {
    let reply = named(0)
        .u32(RDMA_NLDEV_ATTR_STAT_COUNTER_ID, 4)
        .u32(RDMA_NLDEV_ATTR_RES_LQPN, 178);
    let tape = || devices().then(mode::bind(0, 1, 178, None), answer(&reply));
    let words = "stat qp bind link mlx5_0/1 lqpn 178";
    assert_eq!(printed(&tape(), &format!("rdma {words}")), "");
    assert_eq!(printed(&tape(), &format!("rdma -j {words}")), "[]\n");
    assert_eq!(
        printed(&tape(), &format!("rdmactl {words}")),
        "link mlx5_0/1 cntn 4 lqpn 178 \n"
    );
    assert_eq!(
        printed(&tape(), "rdmactl -j stat qp b l mlx5_0 l 178"),
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"port\":1,\"cntn\":4,\"lqpn\":178}\n]\n"
    );
    let ran = call(&devices(), "rdmactl stat qp bind link mlx5_1 lqpn 1", None);
    assert!(
        ran.code == 1 && ran.err.contains("write mlx5_1/PORT"),
        "{ran:?}"
    );
}

#[test]
fn unbinding_is_never_silent() {
    let tape = devices().then(queue_pair::get(0, 1, 9), vec![ack(ENOENT)]);
    let ran = call(&tape, "rdma stat qp unbind link mlx5_0/1 cntn 9", None);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "error: No such file or directory\ncause: mlx5_0/1 has no counter 9\n  fix: rdmactl statistic qp show link mlx5_0/1\n"
    );
    let of_counter =
        named(0)
            .u32(RDMA_NLDEV_ATTR_STAT_COUNTER_ID, 4)
            .nest(RDMA_NLDEV_ATTR_RES_QP, |table| {
                [178, 179].iter().fold(table, |table, qp| {
                    table.nest(RDMA_NLDEV_ATTR_RES_QP_ENTRY, |entry| {
                        entry.u32(RDMA_NLDEV_ATTR_RES_LQPN, *qp)
                    })
                })
            });
    let tape = devices()
        .then(queue_pair::get(0, 1, 4), answer(&of_counter))
        .then(mode::unbind(0, 1, 4, 178), answer(&named(0)))
        .then(mode::unbind(0, 1, 4, 179), answer(&named(0)));
    assert_eq!(printed(&tape, "rdma stat qp u l mlx5_0/1 c 4"), "");
}

fn status(on: &[u32]) -> Request {
    named(0).nest(RDMA_NLDEV_ATTR_STAT_HWCOUNTERS, |table| {
        let always = table.nest(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY, |entry| {
            entry
                .text(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME, "rx")
                .u32(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_INDEX, 0)
        });
        [(1, "cc_rx_ce_pkts"), (2, "cc_rx_cnp_pkts")]
            .iter()
            .fold(always, |table, (index, name)| {
                table.nest(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY, |entry| {
                    entry
                        .text(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME, name)
                        .u32(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_INDEX, *index)
                        .u8(
                            RDMA_NLDEV_ATTR_STAT_HWCOUNTER_DYNAMIC,
                            on.contains(index).into(),
                        )
                })
            })
    })
}

fn with_status(tape: Tape, on: &[u32]) -> Tape {
    tape.then(optional::get(0, 1), answer(&status(on)))
}

#[test]
fn optional_counters_are_shown_and_switched() {
    let both = "    cc_rx_ce_pkts,\n    cc_rx_cnp_pkts\n";
    let seen = |on: &[u32], line: &str| printed(&with_status(devices(), on), line);
    assert_eq!(seen(&[], "rdma stat mode link mlx5_0/1"), "");
    assert_eq!(
        seen(&[1, 2], "rdma stat mo l mlx5_0"),
        format!("link mlx5_0/1 optional-counters \n{both}")
    );
    assert_eq!(
        seen(&[], "rdma stat mode su l mlx5_0"),
        format!("link mlx5_0/1 supported optional-counters \n{both}")
    );
    assert_eq!(
        seen(&[2], "rdma -j stat mode link mlx5_0"),
        "[{\"ifname\":\"mlx5_0\",\"port\":1,\"optional-counters\":[\"cc_rx_cnp_pkts\"]}\n]\n"
    );
    let set = with_status(devices(), &[]).then(optional::set(0, 1, &[2]), answer(&named(0)));
    let line = "rdma stat set link mlx5_0/1 optional-counters cc_rx_cnp_pkts,";
    assert_eq!(printed(&with_status(set, &[2]), line), "");
    let unset = with_status(devices(), &[2]).then(optional::set(0, 1, &[]), answer(&named(0)));
    let line = "rdma -j stat u l mlx5_0/1 o";
    assert_eq!(printed(&with_status(unset, &[]), line), "[]\n");
}

#[test]
fn an_unknown_optional_counter_is_told_apart() {
    let ran = call(
        &with_status(devices(), &[]),
        "rdma stat set link mlx5_0/1 optional-counters cc_rx_cnp_pkt",
        None,
    );
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "mlx5_0/1 has no optional counter \"cc_rx_cnp_pkt\"\n\
         cause: did you mean cc_rx_cnp_pkts or cc_rx_ce_pkts? The optional counters of mlx5_0/1 are cc_rx_ce_pkts, cc_rx_cnp_pkts\n  \
           fix: rdmactl statistic mode supported link mlx5_0/1\n"
    );
}

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

#[test]
fn words_that_make_no_command() {
    for line in [
        "rdma stat bogus",
        "rdma stat link",
        "rdma stat qp bind link mlx5_0/1",
        "rdma stat qp bind link mlx5_0/1 lqpn x",
        "rdma stat qp unbind link mlx5_0/1 lqpn 1",
        "rdma stat qp set link mlx5_0/1 auto foo on",
        "rdma stat qp set link mlx5_0/1 auto type off",
        "rdma stat qp set link auto off",
        "rdma stat qp set link mlx5_0/1 auto type",
        "rdma stat qp show link mlx5_0/1 cntn x",
        "rdma stat set link mlx5_0/1",
        "rdma stat set link mlx5_0/1 optional-counters",
        "rdma stat unset link mlx5_0/1",
    ] {
        let ran = call(&Tape::default(), line, None);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
        assert!(ran.err.starts_with("error: "), "{line}: {}", ran.err);
    }
    let ran = call(
        &Tape::default(),
        "rdma stat qp set link mlx5_0/1 auto type",
        None,
    );
    assert!(
        ran.code == 2 && ran.err.contains("write on behind it"),
        "{ran:?}"
    );
}

#[test]
fn abbreviations_in_the_order_of_iproute2() {
    for (line, plain) in [
        ("st", "statistic"),
        ("s", "system"),
        ("stat l", "statistic show"),
        ("stat m", "statistic mr"),
        ("stat mo su l x/1", "statistic mode supported link x/1"),
        ("stat mo s", "statistic mode show"),
        ("stat s m mr 3", "statistic show mr --mrn=3"),
        (
            "stat q b l x/1 l 5 c 2",
            "statistic qp bind link x/1 --lqpn=5 --cntn=2",
        ),
        (
            "stat qp u l x/1 c 2",
            "statistic qp unbind link x/1 --cntn=2",
        ),
        (
            "stat qp se l x/1 a type on opt off",
            "statistic qp set link x/1 auto type on --optional-counters=off",
        ),
        (
            "stat se l x/1 o a,b",
            "statistic set link x/1 optional-counters a,b",
        ),
        (
            "stat u l x/1 o",
            "statistic unset link x/1 optional-counters",
        ),
        ("stat h", "statistic --help"),
        ("stats", "stats"),
    ] {
        let words = ["rdma"].into_iter().chain(line.split(' '));
        let read = rdmactl::cli::spelled_out(words.map(Into::into));
        let read: Vec<_> = read
            .iter()
            .skip(1)
            .filter_map(|word| word.to_str())
            .collect();
        assert_eq!(read.join(" "), plain, "{line}");
    }
}

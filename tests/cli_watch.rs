//! `--watch` and `--rate` over tapes: what is asked for again, what frames look like, how they end.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{self, Write};

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::statistic::{memory_region, port, queue_pair};
use rdmactl::wire::nldev::{device, system};
use rdmactl::world::World;
use serde_json::Value;
use support::{Answer, Ran, Tape, ack, data, done, entry};

const GET: u16 = 0x1401;
const STAT: u16 = 0x1411;
const ENOBUFS: i32 = 105;
const EINVAL: i32 = 22;

/// A reader that leaves after so many writes.
struct Leaving {
    writes: usize,
    read: Vec<u8>,
}

impl Write for Leaving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.writes == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.writes -= 1;
        self.read.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn call(tape: &Tape, line: &str, writes: usize) -> Ran {
    on(None, tape, line, writes)
}

/// On a terminal of this kind, if on any; its size is that of the test's own.
fn on(term: Option<&str>, tape: &Tape, line: &str, writes: usize) -> Ran {
    let root = tempfile::tempdir().unwrap();
    let read = Vec::new();
    let (mut out, mut err) = (Leaving { writes, read }, Vec::new());
    let world = World {
        argv: line.split(' ').map(Into::into).collect(),
        env: term
            .map(|term| ("TERM".into(), term.into()))
            .into_iter()
            .collect(),
        input: &mut io::empty(),
        out: &mut out,
        err: &mut err,
        terminal: term.map(|_| 80),
        host: tape.host(root.path()),
    };
    let code = rdmactl::run(world).code();
    assert!(tape.is_over(), "{line}: less was asked than the tape has");
    Ran {
        code,
        out: String::from_utf8(out.read).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

fn named(index: u32, name: &str) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, name)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
}

fn listing(devices: &[(u32, &str)]) -> Vec<Answer> {
    let devices = devices.iter();
    let found = devices.map(|(index, name)| entry(GET, &named(*index, name)));
    found.chain([done(0)]).collect()
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

/// One reading of the counters of one device's port.
fn reading(tape: Tape, (index, name): (u32, &str), values: &[(&str, u64)]) -> Tape {
    let content = counters(named(index, name), values);
    tape.then(device::dump(), listing(&[(index, name)]))
        .then(port::get(index, 1), vec![data(STAT, &content), ack(0)])
}

fn lines(ran: &Ran) -> Vec<Value> {
    let lines = ran.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn frames_of_json_are_lines() {
    for term in [None, Some("xterm")] {
        json_lines(term);
    }
}

fn json_lines(term: Option<&str>) {
    let tape = Tape::default()
        .then(device::dump(), listing(&[(0, "mlx5_0"), (1, "mlx5_1")]))
        .then(device::dump(), listing(&[(1, "pod0")]))
        .then(device::dump(), listing(&[]));
    let ran = on(term, &tape, "rdmactl -jp --watch 0.1 dev", 2);
    // The reader left while the third frame was written.
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let frames = lines(&ran);
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[0]["rows"][1]["ifname"], "mlx5_1");
    assert_eq!(frames[1]["rows"][0]["ifname"], "pod0");
    let keys: Vec<_> = frames[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["time", "rows"]);
    let time = |frame: &Value| frame["time"].as_str().unwrap().to_owned();
    assert!(time(&frames[0]).ends_with('Z') && time(&frames[0]) < time(&frames[1]));
}

#[test]
fn frames_of_text_have_their_time_above() {
    // The device of the last frame is asked for alone; another has come in its place.
    let first = Tape::default().then(device::dump(), listing(&[(0, "mlx5_0")]));
    let tape = (1..3).fold(first, |tape, index| {
        tape.then(device::get(index - 1), vec![ack(EINVAL)])
            .then(device::dump(), listing(&[(index, "mlx5_0")]))
    });
    let ran = call(&tape, "rdma --watch=0.1 dev show mlx5_0", 2);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!((lines[1], lines[3]), ("0: mlx5_0: ", "1: mlx5_0: "));
    for time in [lines[0], lines[2]] {
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
    }
    assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
}

#[test]
fn a_terminal_is_drawn_over_unless_it_is_dumb() {
    let drawn = |term| {
        let tape = (0..3).fold(Tape::default(), |tape, index| {
            tape.then(device::dump(), listing(&[(index, "mlx5_0")]))
        });
        on(Some(term), &tape, "rdma --watch 0.1 dev", 2).out
    };
    let out = drawn("xterm");
    assert_eq!(out.matches("\u{1b}[HEvery 0.1 s: rdma dev").count(), 2);
    assert!(out.contains("\u{1b}[J1: mlx5_0:\u{1b}[K\n"), "{out:?}");
    let out = drawn("dumb");
    assert!(
        !out.contains('\u{1b}') && out.contains("Z\n1: mlx5_0: \n"),
        "{out:?}"
    );
}

#[test]
fn a_frame_that_fails_says_so_and_the_next_is_read() {
    let shared = Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 1);
    let tape = Tape::default()
        .then(device::dump(), listing(&[(0, "mlx5_0")]))
        // Renamed: what is asked after the next listing is for the explanation.
        .then(device::get(0), vec![data(GET, &named(0, "mlx5_7"))])
        .then(device::dump(), listing(&[(0, "mlx5_7")]))
        .then(device::dump(), listing(&[(0, "mlx5_7")]))
        .then(system::get(), vec![data(0x1406, &shared), ack(0)])
        .then(device::dump(), listing(&[(0, "mlx5_7")]))
        .then(device::dump(), listing(&[(0, "mlx5_0")]))
        .then(device::get(0), vec![data(GET, &named(0, "mlx5_0"))]);
    let ran = call(&tape, "rdmactl -j --watch 0.1 dev show mlx5_0", 3);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let frames = lines(&ran);
    assert_eq!(frames[1]["rows"], Value::Array(Vec::new()));
    let error = &frames[1]["errors"][0];
    assert_eq!(error["error"], "Wrong device name - mlx5_0");
    assert_eq!(frames[2]["rows"][0]["ifname"], "mlx5_0");
    assert_eq!(frames[2].get("errors"), None);
}

#[test]
fn answers_that_were_lost_are_told_of() {
    let lost = || {
        let answers = || vec![Answer::Errno(ENOBUFS), done(0)];
        (0..8).fold(Tape::default(), |tape, _| {
            tape.then(device::dump(), answers())
        })
    };
    let before = Tape::default().then(device::dump(), listing(&[(0, "mlx5_0")]));
    let tape = (0..8).fold(before, |tape, _| {
        tape.then(device::dump(), vec![Answer::Errno(ENOBUFS), done(0)])
    });
    let tape = tape.then(device::dump(), listing(&[(0, "mlx5_0")]));
    let ran = call(&tape, "rdmactl --watch 0.1 dev", 2);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("its buffer was full"), "{}", ran.out);
    // In the first frame it ends the command, as it would end it unwatched.
    let ran = call(&lost(), "rdmactl --watch 0.1 dev", 9);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("its buffer was full"), "{}", ran.err);
}

#[test]
fn a_first_frame_with_gaps_does_not_end_it() {
    let values = counters(named(1, "mlx5_1"), &[("rx", 1)]);
    let both = || listing(&[(0, "siw0"), (1, "mlx5_1")]);
    let frame = |tape: Tape| {
        tape.then(device::dump(), both())
            .then(port::get(0, 1), vec![ack(EINVAL)])
            .then(device::get(0), vec![data(GET, &named(0, "siw0")), ack(0)])
            .then(port::get(1, 1), vec![data(STAT, &values), ack(0)])
    };
    let ran = call(
        &frame(frame(Tape::default())),
        "rdmactl -j --watch 0.1 stat",
        1,
    );
    assert_eq!(ran.code, 0);
    let frame = &lines(&ran)[0];
    assert_eq!(frame["rows"][0]["rx"], 1);
    let cause = frame["errors"][0]["cause"].as_str().unwrap();
    assert!(cause.contains("siw0/1 has no hardware counters"), "{cause}");
}

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

#[test]
fn what_cannot_be_watched_or_has_no_rate() {
    for (line, why) in [
        ("dev set mlx5_0 name x", "this one changes something"),
        ("dev delete mlx5_0", "this one changes something"),
        ("link add x type rxe netdev y", "this one changes something"),
        ("system set netns exclusive", "this one changes something"),
        (
            "res set frmr_pools dev x aging 1",
            "this one changes something",
        ),
        (
            "stat set link x/1 optional-counters y",
            "this one changes something",
        ),
        ("stat qp bind link x/1 lqpn 1", "this one changes something"),
        (
            "stat qp set link x/1 auto off",
            "this one changes something",
        ),
        ("monitor", "monitor tells each change when it happens"),
        ("-b /dev/null", "--batch runs its commands once"),
    ] {
        let ran = call(&Tape::default(), &format!("rdmactl --watch 1 {line}"), 9);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
        assert!(
            ran.err.starts_with("error: ") && ran.err.contains(why),
            "{ran:?}"
        );
    }
    for seconds in ["0", "0.09", "-1", "nan", "1e9", "dev"] {
        let ran = call(
            &Tape::default(),
            &format!("rdmactl dev --watch {seconds}"),
            9,
        );
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{seconds}");
    }
    for line in [
        "mode",
        "qp mode",
        "set link x/1 optional-counters y",
        "qp set link x/1",
    ] {
        let ran = call(&Tape::default(), &format!("rdmactl stat {line} --rate"), 9);
        assert_eq!(ran.code, 2, "{line}");
        assert!(
            ran.err.contains("--rate goes with statistic show"),
            "{ran:?}"
        );
    }
}

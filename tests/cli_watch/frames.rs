//! Frames: as JSON, as text, on a terminal, and those with failures.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::statistic::port;
use rdmactl::wire::nldev::{device, system};
use serde_json::Value;

use crate::devices::{EINVAL, ENOBUFS, GET, STAT, counters, listing, named};
use crate::reader::{call, lines, on};
use crate::support::{Answer, Tape, ack, data, done};

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

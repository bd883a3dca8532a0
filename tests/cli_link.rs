//! Software devices over tapes: what is asked before one is deleted, and what is said of its users.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::resource::{Kind, Query, summary};
use rdmactl::wire::nldev::{chardev, device, link};
use support::{Answer, Ran, Tape, ack, data, done, entry, play};

fn rxe0() -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, 3)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, "rxe0")
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
}

fn found() -> Tape {
    let listing = vec![entry(0x1401, &rxe0()), done(0)];
    Tape::default().then(device::dump(), listing)
}

fn counts(contexts: u64) -> Vec<Answer> {
    let count = |table: Request, name, count| {
        table.nest(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY, |entry| {
            entry
                .text(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME, name)
                .u64(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR, count)
        })
    };
    let answer = rxe0().nest(RDMA_NLDEV_ATTR_RES_SUMMARY, |table| {
        let table = count(table, "qp", 1);
        let table = count(table, "cm_id", 0);
        count(table, "ctx", contexts)
    });
    vec![data(0x1409, &answer), ack(0)]
}

fn idle() -> Tape {
    found().then(summary::get(3, false), counts(0))
}

/// One context, whose process is the first of its PID namespace: ours is another one.
fn used() -> Tape {
    let query = Query {
        kind: Kind::Ctx,
        raw: false,
        driver_details: false,
    };
    let context = rxe0().nest(RDMA_NLDEV_ATTR_RES_CTX, |table| {
        table.nest(RDMA_NLDEV_ATTR_RES_CTX_ENTRY, |entry| {
            entry.u32(RDMA_NLDEV_ATTR_RES_CTXN, 0)
        })
    });
    found()
        .then(summary::get(3, false), counts(1))
        .then(query.dump(3, None), vec![entry(0x1416, &context), done(0)])
        .then(chardev::verbs(3), vec![ack(95)])
}

fn call(tape: &Tape, line: &str, input: &str) -> Ran {
    let root = tempfile::tempdir().unwrap();
    play(tape, root.path(), line, input, None)
}

#[test]
fn a_device_without_users_takes_one_question_more() {
    for line in [
        "rdma link delete rxe0",
        "rdmactl l d rxe0 --wait 60",
        "rdmactl -f link delete rxe0",
    ] {
        let tape = idle().then(link::delete(3), vec![ack(0)]);
        let ran = call(&tape, line, "");
        assert_eq!((ran.code, ran.out + &ran.err), (0, String::new()), "{line}");
    }
    let tape = idle().then(link::delete(3), vec![ack(0)]);
    assert_eq!(call(&tape, "rdma -j link delete rxe0", "").out, "[]\n");
}

#[test]
fn one_with_users_stays() {
    for line in [
        "rdma link delete rxe0",
        "rdmactl link delete rxe0",
        "rdmactl link delete rxe0 --wait 0",
    ] {
        let ran = call(&used(), line, "");
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}");
        assert_eq!(
            ran.err,
            "RDMA device \"rxe0\" is in use\n\
             cause: in use by a process that cannot be seen from here; a deletion takes it from them, or hangs in the \
             kernel until they end (soft-RoCE before Linux 7.3, soft-iWARP)\n  \
             fix: to wait for them: rdmactl link delete rxe0 --wait 60; or, all the same: rdmactl link delete rxe0 --force\n"
        );
    }
    let forced = used().then(link::delete(3), vec![ack(0)]);
    let ran = call(&forced, "rdmactl link delete rxe0 --force", "");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn a_dry_run_says_who_and_what() {
    let who = "software RDMA device rxe0 (index 3)";
    let by = "in use by a process that cannot be seen from here";
    for (tape, options, step) in [
        (idle(), "", format!("delete {who}")),
        (idle(), " --wait 5 --force", format!("delete {who}")),
        (used(), "", format!("not delete {who}, {by}")),
        (used(), " --force", format!("delete {who}, {by}")),
        (
            used(),
            " --wait 2.5",
            format!("wait 2.5 s for nobody to use {who}, then delete it; now {by}"),
        ),
    ] {
        let ran = call(
            &tape,
            &format!("rdmactl --dry-run link delete rxe0{options}"),
            "",
        );
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{options}");
        assert_eq!(ran.out, format!("would {step}\n"), "{options}");
    }
}

#[test]
fn the_force_of_a_batch_is_to_go_on() {
    let tape = used().then(device::dump(), vec![done(0)]);
    let ran = call(&tape, "rdma -f -b -", "link delete rxe0\ndev show\n");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("is in use"), "{}", ran.err);
    let ran = call(&Tape::default(), "rdma -b -", "link delete rxe0 --force\n");
    assert!(ran.code == 1 && ran.err.contains("on the lines of a batch"));
}

#[test]
fn a_wait_is_a_number_of_seconds() {
    for line in [
        "rdmactl link delete rxe0 --wait",
        "rdmactl link delete rxe0 --wait soon",
        "rdmactl link delete rxe0 --wait -1",
        "rdmactl link delete rxe0 wait 5",
    ] {
        assert_eq!(call(&Tape::default(), line, "").code, 2, "{line}");
    }
}

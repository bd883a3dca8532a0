//! `oci-hook` and `cdi` as commands: what is refused before the kernel is asked, and what needs it not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::path::Path;

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::system;
use support::{Ran, Tape, ack, data, play};

const SYS_GET: u16 = 0x1406;

/// No socket may be opened.
fn call(root: &Path, line: &str, input: &str) -> Ran {
    play(&Tape::default(), root, line, input, None)
}

#[test]
fn hostile_states() {
    let root = tempfile::tempdir().unwrap();
    for (input, says) in [
        ("", "error: standard input is no OCI state: it is empty\n"),
        (
            "[1]",
            "error: standard input is no OCI state: it is no JSON object\n",
        ),
        (
            r#"{"status":"creating"}"#,
            "error: the OCI state has no id\n",
        ),
        (
            r#"{"status":"creating","id":"a/../b"}"#,
            "error: id of the OCI state: \"a/../b\" is not a valid container id",
        ),
        (
            r#"{"status":"creating","id":"a","annotations":{"rdmactl.io/dev\u001b":"x"}}"#,
            "error: there is no annotation \"rdmactl.io/dev\\u{1b}\"\n",
        ),
    ] {
        // What a hook prints is for nobody, programs included.
        for word in ["", "-j "] {
            let line = format!("rdmactl {word}oci-hook createRuntime");
            let ran = call(root.path(), &line, input);
            assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line} {input}");
            assert!(ran.err.starts_with(says), "{}", ran.err);
            assert!(ran.err.contains("\n  fix: "), "{}", ran.err);
        }
    }
    let endless = format!(r#"{{"status":"creating","id":"{}"}}"#, "x".repeat(5 << 20));
    let ran = call(root.path(), "rdmactl oci-hook", &endless);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("more than 4 MiB") && ran.err.len() < 500);
}

#[test]
fn words_that_make_no_command() {
    let root = tempfile::tempdir().unwrap();
    let state = r#"{"status":"running","id":"a","pid":1}"#;
    for line in [
        "rdmactl oci-hook",
        "rdmactl oci-hook startContainer",
        "rdmactl oci-hook createRuntime --device a/b",
        "rdmactl oci-hook createRuntime --node uverbs0",
        "rdmactl --watch 1 oci-hook poststop",
        "rdmactl --all-netns oci-hook poststop",
        "rdmactl cdi",
        "rdmactl cdi generate --program rdmactl",
        "rdmactl cdi generate --device ../x",
    ] {
        let ran = call(root.path(), line, state);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}: {}", ran.err);
    }
}

/// Hooks are called for containers that have no device of ours, and for those that never had one.
#[test]
fn nothing_to_do() {
    let root = tempfile::tempdir().unwrap();
    for (line, status) in [
        ("rdmactl oci-hook createRuntime", "creating"),
        ("rdmactl oci-hook prestart", "created"),
        ("rdmactl oci-hook", "created"),
        ("rdmactl oci-hook poststop", "stopped"),
        ("rdmactl oci-hook", "stopped"),
        ("rdmactl -j oci-hook createRuntime", "creating"),
        ("rdmactl -j oci-hook poststop", "stopped"),
        ("rdmactl oci-hook poststop --dry-run", "stopped"),
    ] {
        let state =
            format!(r#"{{"status":"{status}","id":"a","pid":1,"annotations":{{"other":"x"}}}}"#);
        assert_eq!(call(root.path(), line, &state).printed(), "", "{line}");
    }
    assert!(fs::read_dir(root.path()).unwrap().next().is_none());
}

#[test]
fn shared_mode() {
    let root = tempfile::tempdir().unwrap();
    let settings = Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, 1);
    let tape = Tape::default().then(system::get(), vec![data(SYS_GET, &settings), ack(0)]);
    let state = r#"{"status":"creating","id":"a","pid":1}"#;
    let line = "rdmactl oci-hook --device mlx5_0";
    let ran = play(&tape, root.path(), line, state, None);
    assert_eq!(
        ran.err,
        "error: the RDMA subsystem is in shared mode\n\
         cause: in shared mode every container sees every RDMA device, and none can be moved\n  \
         fix: rdmactl system set netns exclusive --persist, while no container runs\n"
    );
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
}

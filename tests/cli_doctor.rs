//! `doctor` as a command: its forms, its exit status, and that it asks the kernel for nothing it has not got.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::path::Path;

use support::{Ran, Tape, run};

/// A host without RDMA: nothing may open a socket, for that would have the kernel load it.
fn call(root: &Path, line: &str, terminal: Option<u16>) -> Ran {
    let argv: Vec<&str> = line.split(' ').collect();
    run(Tape::default().host(root), &argv, &[], b"", terminal)
}

fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("proc/sys/kernel/osrelease", "7.3.1\n");
    write("sys/kernel/security/lockdown", "none [integrity]\n");
    root
}

#[test]
fn notes_alone_are_no_failure() {
    let host = host();
    let ran = call(host.path(), "rdmactl doctor --only kernel", None);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        lines[0],
        "note kernel.lockdown: the kernel is locked down: firmware tools cannot reach"
    );
    assert_eq!(lines[1], "    adapters over PCI");
    assert_eq!(
        lines[2],
        "    saw: /sys/kernel/security/lockdown: none [integrity]"
    );
    assert!(lines[3].starts_with("    fix: "));
    assert_eq!(lines.last(), Some(&"1 note"));
    assert!(lines.iter().all(|line| line.chars().count() <= 80));
    let narrow = call(host.path(), "rdmactl doctor --only kernel", Some(60));
    assert!(narrow.out.lines().all(|line| line.chars().count() <= 60));
    let one = call(host.path(), "rdmactl -o doctor --only kernel", None);
    assert_eq!(one.out.lines().count(), 2);
}

#[test]
fn findings_are() {
    let host = host();
    for (line, code) in [
        ("rdmactl doctor", 1),
        ("rdma doctor --only modules", 1),
        ("rdmactl do --only vfs --only modules", 1),
        ("rdmactl doctor --only managers", 0),
        ("rdmactl doctor --only nothing", 2),
        ("rdmactl doctor word", 2),
    ] {
        assert_eq!(call(host.path(), line, None).code, code, "{line}");
    }
}

#[test]
fn programs_get_objects() {
    let host = host();
    let ran = call(
        host.path(),
        "rdmactl -j doctor --only kernel --only modules",
        None,
    );
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let ids: Vec<&str> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["kernel.lockdown", "modules.ib-core"]);
    assert_eq!(found[1]["area"], "modules");
    assert_eq!(found[1]["severity"], "error");
    assert_eq!(found[1]["commands"][0], "modprobe ib_core");
    assert!(
        found[1]["evidence"][0]
            .as_str()
            .unwrap()
            .starts_with("/sys/module/ib_core: ")
    );
    let none = call(host.path(), "rdmactl -j doctor --only managers", None);
    assert_eq!((none.code, none.out.as_str()), (0, "[]\n"));
}

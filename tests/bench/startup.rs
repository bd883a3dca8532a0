//! What a start costs: `CNI_COMMAND=VERSION` and `-V` beside a static program that does nothing.
//!
//! `cargo bench --bench startup [-- RUNS]`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

mod pairs;

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let runs = std::env::args()
        .skip(1)
        .find_map(|word| word.parse().ok())
        .unwrap_or(300);
    let folder = tempfile::tempdir().unwrap();
    let nothing = nothing(folder.path());
    let plugin = folder.path().join("rdma");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rdmactl"), &plugin).unwrap();

    println!(
        "{runs} pairs each; microseconds; ratio = ours / static program that does nothing, pair by pair"
    );
    let version = || {
        let mut command = Command::new(&plugin);
        command.env("CNI_COMMAND", "VERSION");
        command
    };
    pairs::compare(
        "CNI_COMMAND=VERSION",
        "nothing",
        version,
        || Command::new(&nothing),
        runs,
    );
    let own = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rdmactl"));
        command.arg("-V");
        command
    };
    pairs::compare(
        "rdmactl -V",
        "nothing",
        own,
        || Command::new(&nothing),
        runs,
    );
}

/// The least that a static program can do, from the C compiler that Rust links with.
fn nothing(folder: &Path) -> PathBuf {
    let (source, program) = (folder.join("nothing.c"), folder.join("nothing"));
    std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let status = Command::new("cc")
        .args(["-O2", "-static", "-o"])
        .arg(&program)
        .arg(&source)
        .status();
    assert!(status.unwrap().success(), "cc -static failed");
    program
}

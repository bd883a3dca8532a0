//! Listings beside iproute2's `rdma`, in a guest of the lab, with 8 and with 121 devices.
//!
//! `cargo bench --bench iproute2 [-- RUNS]`; the guest root has to be there (`tests/lab/roots 6.12 tools`).
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

mod pairs;

use std::path::Path;
use std::process::{Command, ExitCode};

const LINES: [&str; 5] = [
    "dev show",
    "-j -d dev show",
    "link show",
    "-d link show",
    "system show",
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runs = words
        .iter()
        .find_map(|word| word.parse().ok())
        .unwrap_or(40);
    if words.first().is_some_and(|word| word == "--in-guest") {
        in_guest(runs);
        return ExitCode::SUCCESS;
    }
    on_host(runs)
}

fn on_host(runs: usize) -> ExitCode {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tree.join("target/lab/tmp");
    std::fs::create_dir_all(&scratch).unwrap();
    let bin = tempfile::Builder::new()
        .prefix("bench.")
        .tempdir_in(scratch)
        .unwrap();
    std::fs::copy(std::env::current_exe().unwrap(), bin.path().join("bench")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_rdmactl"), bin.path().join("rdma")).unwrap();
    let status = Command::new(tree.join("tests/lab/boot"))
        .args([
            "--kernel",
            "6.12",
            "--pf",
            "nvme",
            "--cpus",
            "1",
            "--time-limit",
            "900",
            "--share",
        ])
        .arg(format!("{}:bin", bin.path().display()))
        .args(["--", "/lab/bin/bench", "--in-guest", &runs.to_string()])
        .status()
        .unwrap();
    if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn in_guest(runs: usize) {
    // Both from memory: what is measured is not the file system between guest and host.
    shell(
        "cp /lab/bin/rdma /tmp/rdma && cp \"$(command -v rdma)\" /tmp/theirs && modprobe -a ib_core ib_uverbs",
    );
    shell("insmod /lab/adapter/rdmalab.ko mode=ib vf_guids=1");
    println!(
        "{runs} pairs each; microseconds of an emulated CPU; ratio = ours / iproute2, pair by pair"
    );
    for vfs in [7, 120] {
        shell(&format!(
            "for pf in /sys/bus/pci/drivers/mlx5_core/0000:*/sriov_numvfs; do echo 0 > $pf; echo {vfs} > $pf; done"
        ));
        for line in LINES {
            let command = |program: &str| {
                let mut command = Command::new(program);
                command.args(line.split(' '));
                command
            };
            // The name makes the dialect: text as iproute2 prints it.
            let ours = || command("/tmp/rdma");
            pairs::compare(
                &format!("{line} ({} devices)", vfs + 1),
                "iproute2",
                ours,
                || command("/tmp/theirs"),
                runs,
            );
        }
    }
}

fn shell(script: &str) {
    let status = Command::new("bash")
        .args(["-euc", script])
        .status()
        .unwrap();
    assert!(status.success(), "{script}: {status}");
}

//! What a start costs: `CNI_COMMAND=VERSION` and `-V` beside a static program that does nothing.
//!
//! `cargo bench --bench startup [-- RUNS]`. The two are run in turn, so that a machine that changes
//! its pace changes it for both; what counts is the median of the ratios, pair by pair.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

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
    compare(
        "CNI_COMMAND=VERSION",
        version,
        || Command::new(&nothing),
        runs,
    );
    let own = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rdmactl"));
        command.arg("-V");
        command
    };
    compare("rdmactl -V", own, || Command::new(&nothing), runs);
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

fn compare(name: &str, ours: impl Fn() -> Command, theirs: impl Fn() -> Command, runs: usize) {
    for _ in 0..10 {
        once(ours());
        once(theirs());
    }
    let pairs: Vec<(Cost, Cost)> = (0..runs).map(|_| (once(ours()), once(theirs()))).collect();
    for (figure, of) in [
        ("wall", Cost::wall as fn(&Cost) -> f64),
        ("user+system", Cost::cpu),
    ] {
        let ours = median(pairs.iter().map(|(ours, _)| of(ours)));
        let theirs = median(pairs.iter().map(|(_, theirs)| of(theirs)));
        let ratio = median(
            pairs
                .iter()
                .map(|(ours, theirs)| of(ours) / of(theirs).max(1.0)),
        );
        println!(
            "{name:<22} {figure:<12} ours {ours:>7.0}  nothing {theirs:>7.0}  ratio {ratio:.2}"
        );
    }
}

struct Cost {
    wall: Duration,
    cpu: i64,
}

impl Cost {
    fn wall(&self) -> f64 {
        self.wall.as_secs_f64() * 1e6
    }

    fn cpu(&self) -> f64 {
        self.cpu as f64
    }
}

fn once(mut command: Command) -> Cost {
    let before = children();
    let begun = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    let wall = begun.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    Cost {
        wall,
        cpu: children() - before,
    }
}

/// Microseconds of user and system time of all children so far.
fn children() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

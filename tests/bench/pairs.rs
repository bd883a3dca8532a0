//! Two commands in turn: a machine that changes its pace changes it for both, pair by pair.
#![allow(
    dead_code,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Runs the two in turn and prints the medians and the median of the ratios of each figure.
pub fn compare(
    name: &str,
    theirs_name: &str,
    ours: impl Fn() -> Command,
    theirs: impl Fn() -> Command,
    runs: usize,
) {
    for _ in 0..runs.min(10) {
        once(ours());
        once(theirs());
    }
    let pairs: Vec<(Cost, Cost)> = (0..runs).map(|_| (once(ours()), once(theirs()))).collect();
    report(name, theirs_name, &pairs);
}

/// The medians and the median of the ratios, of what was measured in turn.
pub fn report(name: &str, theirs_name: &str, pairs: &[(Cost, Cost)]) {
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
            "{name:<32} {figure:<12} ours {ours:>7.0}  {theirs_name} {theirs:>7.0}  ratio {ratio:.2}"
        );
    }
}

pub struct Cost {
    wall: Duration,
    cpu: i64,
}

impl Cost {
    /// What `work` takes of the time of this process.
    pub fn of(work: impl FnOnce()) -> Self {
        let (before, begun) = (spent(UsageWho::RUSAGE_SELF), Instant::now());
        work();
        let wall = begun.elapsed();
        Self {
            wall,
            cpu: spent(UsageWho::RUSAGE_SELF) - before,
        }
    }

    /// What is left of it without another; nothing where that took longer.
    pub fn without(&self, other: &Self) -> Self {
        Self {
            wall: self.wall.saturating_sub(other.wall),
            cpu: (self.cpu - other.cpu).max(0),
        }
    }

    /// Both, one behind the other.
    pub fn and(&self, other: &Self) -> Self {
        Self {
            wall: self.wall + other.wall,
            cpu: self.cpu + other.cpu,
        }
    }

    fn wall(&self) -> f64 {
        self.wall.as_secs_f64() * 1e6
    }

    fn cpu(&self) -> f64 {
        self.cpu as f64
    }
}

fn once(command: Command) -> Cost {
    cost(command, Stdio::null())
}

/// Runs a command that has to succeed.
pub fn cost(mut command: Command, stdin: Stdio) -> Cost {
    let before = spent(UsageWho::RUSAGE_CHILDREN);
    let begun = Instant::now();
    let status = command.stdin(stdin).stdout(Stdio::null()).status().unwrap();
    let wall = begun.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    Cost {
        wall,
        cpu: spent(UsageWho::RUSAGE_CHILDREN) - before,
    }
}

/// Microseconds of user and system time so far.
fn spent(who: UsageWho) -> i64 {
    let usage = getrusage(who).unwrap();
    usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

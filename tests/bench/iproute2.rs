//! Listings and batches beside iproute2's `rdma`, in a guest of the lab, with 8 and with 121 devices.
//!
//! `cargo bench --bench iproute2 [-- [RUNS] [count]]`; the guest root has to be there
//! (`tests/lab/roots 6.12 tools`). `count` measures instructions instead of time: a microsecond is
//! a thousand of them, and no other work on the machine shows.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

mod boot;
mod pairs;

use std::fmt::Write;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use boot::shell;

const LINES: [&str; 9] = [
    "dev show",
    "-j -d dev show",
    "link show",
    "-d link show",
    "system show",
    "resource show",
    "resource show qp",
    "-batch /one-verb",
    "-batch /mixed",
];

/// Lines of a batch: iproute2 keeps a socket for each and has 1,024 descriptors.
const BATCH: u32 = 1000;

/// Queue pairs of each device.
const QPS: &str = "4";

/// Where both programs lie in the guest, with all they load: in memory, for what is measured is
/// not the file system between guest and host.
const ROOT: &str = "/tmp/root";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let runs = numbers.first().copied().unwrap_or(40);
    match words.first().map(String::as_str) {
        Some("--in-guest") => in_guest(runs),
        Some("--in-root") => in_root(runs, numbers[1]),
        _ => return on_host(runs, words.iter().any(|word| word == "count")),
    }
    ExitCode::SUCCESS
}

fn on_host(runs: usize, count: bool) -> ExitCode {
    let accel = if count { " --accel count" } else { "" };
    let options = format!("--cpus 1 --time-limit 3600{accel}");
    boot::into_guest("rdma", &options, &[], &[runs])
}

fn in_guest(runs: usize) {
    shell(&format!(
        "mkdir -p {ROOT}/proc {ROOT}/dev {ROOT}/etc && cp /lab/bin/bench {ROOT}/ && cp /lab/bin/rdma {ROOT}/rdma
         theirs=$(command -v rdma) && cp $theirs {ROOT}/theirs
         ldd $theirs | grep -o '/[^ ]*' | xargs cp -L --parents -t {ROOT} && ldconfig -r {ROOT}
         mount --bind /proc {ROOT}/proc && mount --bind /dev {ROOT}/dev
         modprobe -a ib_core ib_uverbs && insmod /lab/adapter/rdmalab.ko mode=ib vf_guids=1"
    ));
    println!(
        "{runs} pairs each; microseconds of an emulated CPU; ratio = ours / iproute2, pair by pair"
    );
    for vfs in [7, 120] {
        shell(&format!(
            "for pf in /sys/bus/pci/drivers/mlx5_core/0000:*/sriov_numvfs; do echo 0 > $pf; echo {vfs} > $pf; done"
        ));
        let mut users = users();
        batches();
        let status = Command::new("chroot")
            .args([ROOT, "/bench", "--in-root"])
            .args([runs.to_string(), (vfs + 1).to_string()])
            .status();
        assert!(status.unwrap().success());
        for user in &mut users {
            drop(user.stdin.take());
            user.wait().unwrap();
        }
    }
}

/// Programs with queue pairs, one a device, that end with their standard input.
fn users() -> Vec<Child> {
    let names = std::fs::read_dir("/sys/class/infiniband_verbs").unwrap();
    let names = names.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let users: Vec<Child> = names
        .filter(|name| name.starts_with("uverbs"))
        .map(|name| {
            Command::new("/lab/adapter/uverbs-client")
                .args([&format!("/dev/infiniband/{name}"), QPS])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    users
}

/// Files of commands about the devices in turn.
fn batches() {
    let names = std::fs::read_dir("/sys/class/infiniband").unwrap();
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .collect();
    names.sort();
    let (mut one_verb, mut mixed) = (String::new(), String::new());
    for (at, name) in (0..BATCH).zip(names.iter().cycle()) {
        writeln!(one_verb, "dev show {name}").unwrap();
        match at % 2 {
            0 => writeln!(mixed, "dev show {name}").unwrap(),
            _ => writeln!(mixed, "link show {name}/1").unwrap(),
        }
    }
    std::fs::write(format!("{ROOT}/one-verb"), one_verb).unwrap();
    std::fs::write(format!("{ROOT}/mixed"), mixed).unwrap();
}

fn in_root(runs: usize, devices: usize) {
    for line in LINES {
        // The name makes the dialect: text as iproute2 prints it.
        let ours = || called("/rdma", line);
        let theirs = || called("/theirs", line);
        // A batch takes as long as hundreds of other lines.
        let runs = if line.contains("batch") {
            runs.div_ceil(4)
        } else {
            runs
        };
        let name = format!("{line} ({devices} devices)");
        pairs::compare(&name, "iproute2", ours, theirs, runs);
    }
}

fn called(program: &str, line: &str) -> Command {
    let mut command = Command::new(program);
    // Its own spelling of the option is one that iproute2 does not read.
    command.args(line.replace("-batch", "-b").split(' '));
    command
}

//! Both plugins in a guest of the lab: system calls of each verb, and, beside Go's, time and memory.
//!
//! `[PEERS=FOLDER] cargo bench --bench peers [-- RUNS]`: FOLDER has Go's `rdma` and `ib-sriov`, built static. The guest
//! root has to be there (`tests/lab/roots 6.12 tools`).
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

mod boot;
mod pairs;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

use boot::shell;
use pairs::{Cost, cost, report};

const OURS: &str = "/tmp/ours";
const THEIRS: &str = "/lab/peers";
const NETNS: &str = "/run/netns/pod";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runs = words
        .iter()
        .find_map(|word| word.parse().ok())
        .unwrap_or(20);
    match words.first().map(String::as_str) {
        Some("--in-guest") => in_guest(runs),
        Some("--memory") => memory(&words[1..]),
        _ => return on_host(runs),
    }
    ExitCode::SUCCESS
}

fn on_host(runs: usize) -> ExitCode {
    let mut shares = Vec::new();
    match std::env::var("PEERS") {
        Ok(folder) if Path::new(&folder).join("rdma").exists() => {
            shares.push(format!("{folder}:peers"));
        }
        Ok(folder) => println!("skipped beside Go's plugins: PEERS={folder} has no rdma"),
        Err(_) => println!(
            "skipped beside Go's plugins: PEERS=FOLDER would say where rdma and ib-sriov are"
        ),
    }
    boot::into_guest("rdmactl", "--cpus 1 --time-limit 900", &shares, &[runs])
}

fn in_guest(runs: usize) {
    // From memory: what is measured is not the file system between guest and host.
    shell(&format!(
        "mkdir {OURS} && cp /lab/bin/rdmactl {OURS}/ && ln -s rdmactl {OURS}/rdma && ln -s rdmactl {OURS}/ib-sriov
         modprobe -a ib_core ib_uverbs && rdma system set netns exclusive
         insmod /lab/adapter/rdmalab.ko mode=ib vf_guids=1"
    ));
    for vfs in [7, 120] {
        shell(&format!(
            "ip netns delete pod 2>/dev/null || true
             for pf in /sys/bus/pci/drivers/mlx5_core/0000:*/sriov_numvfs; do echo 0 > $pf; echo {vfs} > $pf; done
             ip netns add pod"
        ));
        let devices = vfs + 1;
        for plugin in ["rdma", "ib-sriov"] {
            let call = Call::new(plugin);
            call.counts(devices);
            let theirs = Path::new(THEIRS).join(plugin);
            if theirs.exists() {
                call.beside(&theirs, devices, runs);
            } else {
                call.alone(devices, runs);
            }
        }
    }
}

/// One plugin with one VF, the second of the first PF.
struct Call {
    plugin: &'static str,
}

impl Call {
    fn new(plugin: &'static str) -> Self {
        let vf = fs::read_dir("/sys/bus/pci/drivers/mlx5_core")
            .unwrap()
            .flatten()
            .find_map(|entry| fs::read_link(entry.path().join("virtfn1")).ok())
            .expect("the adapter has VFs");
        let vf = vf.file_name().unwrap().to_str().unwrap();
        let prev = r#"{"cniVersion":"1.0.0","interfaces":[{"name":"eth0"}]}"#;
        let rest = match plugin {
            "rdma" => "",
            _ => {
                r#","link_state":"enable","rdmaIsolation":true,"runtimeConfig":{"infinibandGUID":"02:00:00:00:00:00:00:aa"}"#
            }
        };
        fs::write(
            "/tmp/config",
            format!(
                r#"{{"cniVersion":"1.0.0","name":"net","type":"{plugin}","deviceID":"{vf}","prevResult":{prev}{rest}}}"#
            ),
        )
        .unwrap();
        Self { plugin }
    }

    fn set(&self, command: &mut Command, verb: &str) {
        command.envs([
            ("CNI_COMMAND", verb),
            ("CNI_CONTAINERID", "bench"),
            ("CNI_IFNAME", "eth0"),
            ("CNI_NETNS", NETNS),
            ("CNI_PATH", "/usr/lib/cni"),
        ]);
    }

    fn config() -> Stdio {
        Stdio::from(File::open("/tmp/config").unwrap())
    }

    fn ours(&self) -> String {
        format!("{OURS}/{}", self.plugin)
    }

    /// System calls of each verb, and what of them asks the kernel for a whole list.
    fn counts(&self, devices: u32) {
        for verb in ["ADD", "CHECK", "DEL"] {
            let mut command = Command::new("strace");
            command.args(["-f", "-o", "/tmp/strace", &self.ours()]);
            self.set(&mut command, verb);
            cost(command, Self::config());
            let text = fs::read_to_string("/tmp/strace").unwrap();
            let of = |word: &str| text.lines().filter(|line| line.contains(word)).count();
            println!(
                "{:<9} {verb:<6} {devices:>3} devices: {:>4} system calls, {:>2} netlink requests, {} for lists",
                self.plugin,
                of("(") - of(" resumed>"),
                of("sendto("),
                of("|0x300") + of("NLM_F_DUMP"),
            );
        }
    }

    fn once(&self, program: &str, verb: &str) -> Cost {
        let mut command = Command::new(program);
        self.set(&mut command, verb);
        cost(command, Self::config())
    }

    /// Beside a program that does nothing.
    fn alone(&self, devices: u32, runs: usize) {
        let nothing = || cost(Command::new("/bin/true"), Stdio::null());
        let pairs = |verb: &str| (self.once(&self.ours(), verb), nothing());
        let (adds, dels): (Vec<_>, Vec<_>) =
            (0..runs).map(|_| (pairs("ADD"), pairs("DEL"))).unzip();
        for (verb, pairs) in [("ADD", adds), ("DEL", dels)] {
            let name = format!("{} {verb} ({devices} devices)", self.plugin);
            report(&name, "true", &pairs);
        }
        self.memory(&self.ours());
    }

    fn beside(&self, theirs: &Path, devices: u32, runs: usize) {
        let theirs = theirs.display().to_string();
        // Neither is measured cold.
        for program in [&self.ours(), &theirs] {
            for verb in ["ADD", "DEL"] {
                self.once(program, verb);
            }
        }
        let (mut adds, mut dels) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let (ours, ours_end) = (
                self.once(&self.ours(), "ADD"),
                self.once(&self.ours(), "DEL"),
            );
            let (their, their_end) = (self.once(&theirs, "ADD"), self.once(&theirs, "DEL"));
            adds.push((ours, their));
            dels.push((ours_end, their_end));
        }
        for (verb, pairs) in [("ADD", adds), ("DEL", dels)] {
            let name = format!("{} {verb} ({devices} devices)", self.plugin);
            report(&name, "Go", &pairs);
        }
        self.memory(&self.ours());
        self.memory(&theirs);
    }

    /// The largest memory of one ADD.
    fn memory(&self, program: &str) {
        let mut command = Command::new("/lab/bin/bench");
        command.args(["--memory", program]);
        self.set(&mut command, "ADD");
        let status = command.stdin(Self::config()).status().unwrap();
        assert!(status.success(), "{program}");
        self.once(program, "DEL");
    }
}

/// In a process of its own, whose one child is the program.
fn memory(words: &[String]) {
    let status = Command::new(&words[0])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{words:?}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    println!("{:<26} memory       {:>7} KiB", words[0], usage.max_rss());
}

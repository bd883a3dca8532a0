//! Both plugins in a guest of the lab: system calls of each verb, and, beside Go's, time and memory.
//!
//! `[PEERS=FOLDER] cargo bench --bench peers [-- RUNS [count]]`: FOLDER has Go's `rdma` and `ib-sriov`, built static; with
//! `count` the guest's clock counts instructions, which are the same on a busy machine. The guest root has to be there
//! (`tests/lab/roots 6.12 tools`). Before anything is measured, each of Go's has to have done what ours did: the same
//! interface told, the same devices in the pod, the same VF settings, and all as before behind DEL. Both have the kernel
//! move a device, and `ib-sriov` bind the VF anew, which takes what it takes: the rest is told by itself.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

mod boot;
mod pairs;

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use rdmactl::kernel::{Conn, Host, Netns};
use rdmactl::rdma::device;
use rdmactl::wire::nldev::device::move_to;

use boot::shell;
use pairs::{Cost, cost, report};

const OURS: &str = "/tmp/ours";
const THEIRS: &str = "/tmp/theirs";
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
        _ => return on_host(runs, words.iter().any(|word| word == "count")),
    }
    ExitCode::SUCCESS
}

fn on_host(runs: usize, counts: bool) -> ExitCode {
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
    let options = match counts {
        true => "--cpus 1 --time-limit 900 --accel count",
        false => "--cpus 1 --time-limit 900",
    };
    boot::into_guest("rdmactl", options, &shares, &[runs])
}

fn in_guest(runs: usize) {
    // From memory: what is measured is not the file system between guest and host.
    shell(&format!(
        "mkdir {OURS} && cp /lab/bin/rdmactl {OURS}/ && ln -s rdmactl {OURS}/rdma && ln -s rdmactl {OURS}/ib-sriov
         if [ -e /lab/peers ]; then cp -r /lab/peers {THEIRS}; fi
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
            call.counts(&call.ours(), "ours", devices, &["ADD", "CHECK", "DEL"]);
            let theirs = format!("{THEIRS}/{plugin}");
            if Path::new(&theirs).exists() {
                call.agree(&theirs);
                call.counts(&theirs, "Go", devices, &["ADD", "DEL"]);
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
    vf: String,
}

impl Call {
    fn new(plugin: &'static str) -> Self {
        let vf = fs::read_dir("/sys/bus/pci/drivers/mlx5_core")
            .unwrap()
            .flatten()
            .find_map(|entry| fs::read_link(entry.path().join("virtfn1")).ok())
            .expect("the adapter has VFs");
        let vf = vf.file_name().unwrap().to_str().unwrap();
        let prev = r#","prevResult":{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","sandbox":"/run/netns/pod"}]}"#;
        let rest = match plugin {
            "rdma" => prev,
            _ => {
                r#","link_state":"enable","rdmaIsolation":true,"runtimeConfig":{"infinibandGUID":"02:00:00:00:00:00:00:aa"}"#
            }
        };
        // `ib-sriov` gives the interface, so that only a CHECK has a result to go by.
        let check = if plugin == "rdma" { "" } else { prev };
        for (name, check) in [("config", ""), ("check", check)] {
            fs::write(
                format!("/tmp/{name}"),
                format!(
                    r#"{{"cniVersion":"1.0.0","name":"net","type":"{plugin}","deviceID":"{vf}"{rest}{check}}}"#
                ),
            )
            .unwrap();
        }
        let vf = vf.to_owned();
        Self { plugin, vf }
    }

    fn set(&self, command: &mut Command, verb: &str) {
        // A line for people is no part of the work, and not both of them write one.
        command.stderr(Stdio::null()).envs([
            ("CNI_COMMAND", verb),
            ("CNI_CONTAINERID", "bench"),
            ("CNI_IFNAME", "eth0"),
            ("CNI_NETNS", NETNS),
            ("CNI_PATH", "/usr/lib/cni"),
        ]);
    }

    fn config(verb: &str) -> Stdio {
        let name = if verb == "CHECK" { "check" } else { "config" };
        Stdio::from(File::open(format!("/tmp/{name}")).unwrap())
    }

    fn ours(&self) -> String {
        format!("{OURS}/{}", self.plugin)
    }

    /// System calls of each verb, and what of them asks the kernel for a whole list.
    fn counts(&self, program: &str, whose: &str, devices: u32, verbs: &[&str]) {
        for verb in verbs {
            let mut command = Command::new("strace");
            command.args(["-f", "-o", "/tmp/strace", program]);
            self.set(&mut command, verb);
            cost(command, Self::config(verb));
            let text = fs::read_to_string("/tmp/strace").unwrap();
            // Where threads take turns, the end of a call is a line of its own.
            let calls: Vec<&str> = text
                .lines()
                .filter(|line| line.contains('(') && !line.contains(" resumed>"))
                .collect();
            let of = |word: &str| calls.iter().filter(|line| line.contains(word)).count();
            println!(
                "{:<9} {verb:<6} {devices:>3} devices, {whose:<4}: {:>4} system calls, {:>2} netlink requests, {} for lists",
                self.plugin,
                calls.len(),
                of("sendto("),
                of("|0x300") + of("NLM_F_DUMP"),
            );
        }
    }

    /// Both do the same, or their figures say nothing.
    fn agree(&self, theirs: &str) {
        let at_first = places();
        let [ours, theirs] = [&self.ours(), theirs].map(|program| {
            let told = self.told(program, "ADD");
            let interface = &told["interfaces"][0];
            let added = (
                told["cniVersion"].clone(),
                interface["name"].clone(),
                interface["sandbox"].clone(),
                places(),
            );
            self.told(program, "DEL");
            assert_eq!(places(), at_first, "{program} DEL leaves something");
            assert_ne!(added.3, at_first, "{program} ADD does nothing");
            added
        });
        assert_eq!(ours, theirs, "{} of ours and Go's differ", self.plugin);
        println!("{:<9} ADD and DEL of Go's do what ours do", self.plugin);
    }

    fn told(&self, program: &str, verb: &str) -> serde_json::Value {
        let mut command = Command::new(program);
        self.set(&mut command, verb);
        let output = command
            .stdin(Self::config(verb))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{program} {verb}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn once(&self, program: &str, verb: &str) -> Cost {
        let mut command = Command::new(program);
        self.set(&mut command, verb);
        cost(command, Self::config(verb))
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

    fn beside(&self, theirs: &str, devices: u32, runs: usize) {
        let ours = self.ours();
        let attachment = |program: &str| (self.once(program, "ADD"), self.once(program, "DEL"));
        // Neither is measured cold.
        for program in [&ours, theirs] {
            attachment(program);
        }
        let (mut adds, mut dels) = (Vec::new(), Vec::new());
        let (mut out, mut back) = (Vec::new(), Vec::new());
        for run in 0..runs {
            let [leaving, coming] = self.kernels_part();
            out.push(leaving);
            back.push(coming);
            // Neither is always the one behind the other.
            let (our, their) = if run % 2 == 0 {
                let our = attachment(&ours);
                (our, attachment(theirs))
            } else {
                let their = attachment(theirs);
                (attachment(&ours), their)
            };
            adds.push((our.0, their.0));
            dels.push((our.1, their.1));
        }
        for (verb, pairs, kernels) in [("ADD", adds, out), ("DEL", dels, back)] {
            let name = format!("{} {verb} ({devices} devices)", self.plugin);
            report(&name, "Go", &pairs);
            let rest = pairs.iter().zip(&kernels);
            let rest = rest
                .map(|((ours, theirs), kernels)| (ours.without(kernels), theirs.without(kernels)));
            let name = format!("{} {verb}, own part", self.plugin);
            report(&name, "Go", &rest.collect::<Vec<_>>());
        }
        self.memory(&ours);
        self.memory(theirs);
    }

    /// What the kernel does for ADD and for DEL, whoever asks for it.
    fn kernels_part(&self) -> [Cost; 2] {
        let rebind = (self.plugin == "ib-sriov").then(|| self.rebound());
        self.moved().map(|part| match &rebind {
            Some(rebind) => part.and(rebind),
            None => part,
        })
    }

    /// The VF's driver taken and given by two writes.
    fn rebound(&self) -> Cost {
        Cost::of(|| {
            for verb in ["unbind", "bind"] {
                fs::write(format!("/sys/bus/pci/drivers/mlx5_core/{verb}"), &self.vf).unwrap();
            }
        })
    }

    /// Its RDMA device moved to the pod by one request, and home by another.
    fn moved(&self) -> [Cost; 2] {
        let host = Host::this();
        let [home, pod] =
            ["/proc/self/ns/net", NETNS].map(|path| Netns::open(&host, path).unwrap());
        let devices = fs::read_dir(format!("/sys/bus/pci/devices/{}/infiniband", self.vf));
        let name = devices.unwrap().next().unwrap().unwrap().file_name();
        let mut conn = host.rdma().unwrap();
        let device = device::find(&mut conn, name.to_str().unwrap()).unwrap();
        let to = |conn: &mut Conn, netns: &Netns| {
            Cost::of(|| conn.change(&move_to(device.index, netns.as_fd())).unwrap())
        };
        let out = to(&mut conn, &pod);
        let back = pod.within(|| to(&mut host.rdma().unwrap(), &home)).unwrap();
        [out, back]
    }

    /// The largest memory of one ADD.
    fn memory(&self, program: &str) {
        let mut command = Command::new("/lab/bin/bench");
        command.args(["--memory", program]);
        self.set(&mut command, "ADD");
        let status = command.stdin(Self::config("ADD")).status().unwrap();
        assert!(status.success(), "{program}");
        self.once(program, "DEL");
    }
}

/// What is in the pod and what the PF says of the VF, without the numbers each new device gets.
fn places() -> String {
    let output = Command::new("bash")
        .args([
            "-euc",
            "ip -n pod -br link | awk '{ print $1, substr($3, length($3) - 22), ($4 ~ /[<,]UP[,>]/) }'
             ip netns exec pod rdma dev | sed 's/^[0-9]*: //'
             rdma dev | sed 's/^[0-9]*: //' | sort
             ip -br link | awk '{ print $1, substr($3, length($3) - 22) }' | sort
             ip link show | grep -w 'vf 1'",
        ])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).unwrap()
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

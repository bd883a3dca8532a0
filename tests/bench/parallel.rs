//! Many pods at once beside one lock around every call, in a guest of the lab, with 7 and with 100 pods; by themselves
//! as they are, and with `charDevices` `any`, where drivers are bound at the same time.
//!
//! `cargo bench --bench parallel [-- ROUNDS [PODS]]`, PODS for no other number; the guest root has to be there (`tests/lab/roots 6.12 tools`).
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

mod boot;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use boot::shell;

const VERBS: [&str; 2] = ["ADD", "DEL"];

/// How the calls keep from each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Own,
    Any,
    OneLock,
}

const WAYS: [Way; 3] = [Way::Own, Way::Any, Way::OneLock];

/// How long a driver takes for one VF, in milliseconds: none, and what is usual.
const PROBES: [u32; 2] = [0, 50];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let rounds = numbers.first().copied().unwrap_or(3);
    let pods = match numbers.get(1) {
        Some(pods) => vec![*pods],
        None => vec![7, 100],
    };
    if words.first().is_some_and(|word| word == "--in-guest") {
        in_guest(rounds, &pods);
        return ExitCode::SUCCESS;
    }
    boot::into_guest("ib-sriov", "--cpus 4 --time-limit 1800", &[], &numbers)
}

fn in_guest(rounds: usize, pods: &[usize]) {
    shell("cp /lab/bin/ib-sriov /tmp/ib-sriov && modprobe -a ib_core ib_uverbs");
    println!("seconds of an emulated machine with 4 CPUs, medians of {rounds} rounds");
    for probe in PROBES {
        shell(&format!(
            "rmmod rdmalab 2>/dev/null || true; insmod /lab/adapter/rdmalab.ko mode=ib vf_guids=1 probe_delay_ms={probe}
             rdma system set netns exclusive
             for pf in /sys/bus/pci/drivers/mlx5_core/0000:*/sriov_numvfs; do echo 100 > $pf; done"
        ));
        for pods in pods.iter().copied() {
            shell(&format!(
                "for n in $(seq 0 {}); do ip netns add p$n; done",
                pods - 1
            ));
            let mut times = [const { [const { Vec::new() }; 3] }; 2];
            for _ in 0..rounds {
                // In turn, so that a machine that changes its pace changes it for all.
                for (n, way) in WAYS.into_iter().enumerate() {
                    for (verb, times) in VERBS.into_iter().zip(&mut times) {
                        times[n].push(all(verb, pods, way));
                    }
                }
            }
            for (verb, times) in VERBS.into_iter().zip(times) {
                let [own, any, locked] = times.map(median);
                println!(
                    "{pods:>3} pods, probe {probe:>2} ms: {verb} {own:6.2}, at the same time {any:6.2}, under one lock \
                     {locked:6.2}, ratios {:.2} {:.2}",
                    own / locked,
                    any / locked
                );
            }
            shell("ip -all netns delete; sleep 1");
        }
    }
}

/// Every pod's call at once; how long until the last has ended.
fn all(verb: &str, pods: usize, way: Way) -> f64 {
    let begun = Instant::now();
    let calls: Vec<Child> = (0..pods).map(|pod| start(verb, pod, way)).collect();
    for call in calls {
        let output = call.wait_with_output().unwrap();
        assert!(output.status.success(), "{verb}: {output:?}");
    }
    begun.elapsed().as_secs_f64()
}

fn start(verb: &str, pod: usize, way: Way) -> Child {
    let links = format!("/sys/bus/pci/drivers/mlx5_core/{}/virtfn{pod}", pf());
    let vf = fs::read_link(links).unwrap();
    let vf = vf.file_name().unwrap().to_str().unwrap();
    let mut command = if way == Way::OneLock {
        let mut command = Command::new("flock");
        command.args(["/run/one.lock", "/tmp/ib-sriov"]);
        command
    } else {
        Command::new("/tmp/ib-sriov")
    };
    let mut child = command
        .env("CNI_COMMAND", verb)
        .env("CNI_CONTAINERID", format!("pod-{pod}"))
        .env("CNI_NETNS", format!("/run/netns/p{pod}"))
        .env("CNI_IFNAME", "net1")
        .env("CNI_PATH", "/tmp")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let numbers = if way == Way::Any { "any" } else { "warn" };
    let config = format!(
        r#"{{"charDevices":"{numbers}","cniVersion":"1.0.0","name":"ibnet","type":"ib-sriov","deviceID":"{vf}","rdmaIsolation":true,"link_state":"enable","runtimeConfig":{{"infinibandGUID":"02:00:00:00:00:aa:00:{pod:02x}"}}}}"#
    );
    child
        .stdin
        .take()
        .unwrap()
        .write_all(config.as_bytes())
        .unwrap();
    child
}

fn pf() -> String {
    let bound = fs::read_dir("/sys/bus/pci/drivers/mlx5_core").unwrap();
    let mut names = bound.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_pf =
        |name: &String| Path::new(&format!("/sys/bus/pci/devices/{name}/sriov_numvfs")).exists();
    names.find(is_pf).expect("the guest has a PF")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

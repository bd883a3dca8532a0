//! `provision apply` of 120 VFs beside the usual shell loop and beside the least it can take, in a guest of the lab.
//!
//! `cargo bench --bench provision [-- ROUNDS [LOOPS] [count]]`, with `count` by a clock that counts instructions; the guest
//! root has to be there (`tests/lab/roots 6.12 tools`).
//! The least: no driver while VFs are made, GUIDs in one batch, then drivers for 1, 8 or 16 VFs at a time; it looks at
//! nothing, notes nothing and checks nothing. The same order by a shell script is what is had without a program, with 8
//! at a time. The loop, which takes half a minute, has its turn in the first LOOPS rounds only.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

mod boot;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use boot::shell;

const VFS: usize = 120;

/// How long a driver takes for one VF, in milliseconds: none, and what is usual.
const PROBES: [u32; 2] = [0, 50];

const DOCUMENT: &str = "/run/provision.toml";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let rounds = numbers.first().copied().unwrap_or(5);
    let loops = numbers.get(1).copied().unwrap_or(2).min(rounds);
    if words.first().is_some_and(|word| word == "--in-guest") {
        in_guest(rounds, loops);
        return ExitCode::SUCCESS;
    }
    let options = match words.iter().any(|word| word == "count") {
        true => "--cpus 1 --time-limit 3600 --accel count",
        false => "--cpus 4 --time-limit 3600",
    };
    boot::into_guest("rdmactl", options, &[], &[rounds, loops])
}

fn in_guest(rounds: usize, loops: usize) {
    shell("cp /lab/bin/rdmactl /tmp/rdmactl && modprobe -a ib_core ib_uverbs");
    // On a busy host the launcher tries once more with one.
    let cpus = thread::available_parallelism().unwrap();
    println!(
        "{VFS} VFs; seconds of an emulated machine with {cpus} CPUs, medians of {rounds} rounds, {loops} with the loop"
    );
    for probe in PROBES {
        shell(&format!(
            "rmmod rdmalab 2>/dev/null || true; insmod /lab/adapter/rdmalab.ko mode=ib probe_delay_ms={probe}"
        ));
        let pf = Pf::find();
        fs::write(
            DOCUMENT,
            format!(
                "version = 1\n[[pf]]\nmatch = {{ pci = \"{}\" }}\nnum_vfs = {VFS}\n",
                pf.address
            ),
        )
        .unwrap();
        from_bare(&pf, probe, rounds, loops);
        where_time_goes(&pf, probe, rounds);
        with_nothing_to_do(&pf, probe, rounds * 4);
        pf.remove();
    }
}

/// How many VFs are offered to drivers at a time: drivers that wait are faster together, others alone.
const AT_ONCE: [usize; 3] = [1, 8, 16];

/// Ours, the least with each of them, the script and the loop.
const WAYS: usize = AT_ONCE.len() + 3;

/// All in turn, so that a machine that changes its pace changes it for all.
fn from_bare(pf: &Pf, probe: u32, rounds: usize, loops: usize) {
    let mut times = [const { Vec::new() }; WAYS];
    for round in 0..=rounds {
        let [one, some, many] = AT_ONCE;
        let ways: [&dyn Fn(); WAYS] = [
            &apply,
            &|| pf.floor(one),
            &|| pf.floor(some),
            &|| pf.floor(many),
            &|| pf.script(),
            &|| pf.loop_(),
        ];
        let with_loop = (1..=loops).contains(&round);
        let turns = ways.len() - usize::from(!with_loop);
        for (way, times) in ways.into_iter().zip(&mut times).take(turns) {
            pf.remove();
            let took = time(way);
            pf.is_ready();
            // The first of each is for caches.
            if round > 0 {
                times.push(took);
            }
        }
    }
    let [ours, floors @ .., script, shell] = &times;
    println!("probe {probe:>2} ms: apply {:.3}", median(ours));
    for (at_once, floor) in AT_ONCE.iter().zip(floors) {
        println!(
            "probe {probe:>2} ms: floor, {at_once} at a time, {:.3}, ratio {:.2}",
            median(floor),
            ratio(ours, floor)
        );
    }
    println!(
        "probe {probe:>2} ms: best order by script, 8 at a time, {:.3}, ratio {:.2}",
        median(script),
        ratio(ours, script)
    );
    if !shell.is_empty() {
        println!(
            "probe {probe:>2} ms: shell loop {:.3}, {:.1} times",
            median(shell),
            ratio(shell, ours)
        );
    }
}

/// Each step is told when it is done, drivers when all have them: the time since the line before is its own.
fn where_time_goes(pf: &Pf, probe: u32, rounds: usize) {
    let mut phases: Vec<(String, Vec<f64>)> = Vec::new();
    for _ in 0..rounds {
        pf.remove();
        let mut round: Vec<(String, f64)> = Vec::new();
        let mut since = Instant::now();
        let mut spent = |phase: &str| {
            let took = std::mem::replace(&mut since, Instant::now()).elapsed();
            match round.iter_mut().find(|(name, _)| name == phase) {
                Some((_, all)) => *all += took.as_secs_f64(),
                None => round.push((phase.to_owned(), took.as_secs_f64())),
            }
        };
        let mut command = provisioning("provision apply");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            let mut words = line.split(' ').filter(|word| !word.starts_with('['));
            spent(words.nth(1).unwrap_or_default());
        }
        assert!(child.wait().unwrap().success());
        spent("names and a last look");
        for (phase, took) in round {
            match phases.iter_mut().find(|(name, _)| *name == phase) {
                Some((_, all)) => all.push(took),
                None => phases.push((phase, vec![took])),
            }
        }
    }
    let phases = phases.iter();
    let phases = phases.map(|(phase, took)| format!("{phase} {:.3}", median(took)));
    println!(
        "probe {probe:>2} ms, up to the end of: {}",
        phases.collect::<Vec<_>>().join("; ")
    );
}

fn with_nothing_to_do(pf: &Pf, probe: u32, rounds: usize) {
    pf.remove();
    apply();
    let mut times = [const { Vec::new() }; 3];
    for round in 0..=rounds {
        let verbs = ["provision apply", "provision plan", "vf show"];
        for (verb, times) in verbs.into_iter().zip(&mut times) {
            let took = time(&|| rdmactl(verb));
            if round > 0 {
                times.push(took * 1e3);
            }
        }
    }
    let [apply, plan, show] = &times;
    println!(
        "probe {probe:>2} ms, nothing to do ({rounds} rounds): apply {:.0} ms, plan {:.0} ms, vf show {:.0} ms: \
         {:.0} ms more",
        median(apply),
        median(plan),
        median(show),
        median_of(apply.iter().zip(show).map(|(apply, show)| apply - show))
    );
}

fn apply() {
    rdmactl("provision apply");
}

fn rdmactl(verb: &str) {
    // What it says step by step goes to a file: the way out of a guest is slow.
    let said = fs::File::create("/run/said").unwrap();
    let status = provisioning(verb).stderr(said).status().unwrap();
    let said = || fs::read_to_string("/run/said").unwrap();
    assert!(status.success(), "{verb}: {status}: {}", said());
}

fn provisioning(verb: &str) -> Command {
    let mut command = Command::new("/tmp/rdmactl");
    command.args(verb.split(' ')).stdout(Stdio::null());
    if verb.starts_with("provision") {
        command.args(["--file", DOCUMENT]);
    }
    command
}

/// The PF of the guest.
struct Pf {
    address: String,
    folder: PathBuf,
    netdev: String,
}

impl Pf {
    fn find() -> Self {
        let bound = fs::read_dir("/sys/bus/pci/drivers/mlx5_core").unwrap();
        let mut paths = bound.map(|entry| entry.unwrap().path());
        let folder = paths.find(|path| path.join("sriov_numvfs").exists());
        let folder = folder.expect("the guest has a PF");
        let netdev = fs::read_dir(folder.join("net")).unwrap().next().unwrap();
        Self {
            address: folder.file_name().unwrap().to_str().unwrap().to_owned(),
            netdev: netdev.unwrap().file_name().into_string().unwrap(),
            folder,
        }
    }

    fn write(&self, file: &str, value: &str) {
        fs::write(self.folder.join(file), value).unwrap();
    }

    fn vf(&self, index: usize) -> PathBuf {
        fs::canonicalize(self.folder.join(format!("virtfn{index}"))).unwrap()
    }

    fn remove(&self) {
        self.write("sriov_numvfs", "0");
    }

    /// What only the kernel takes time for, with iproute2's one process for all GUIDs.
    fn floor(&self, at_once: usize) {
        self.write("sriov_drivers_autoprobe", "0");
        self.write("sriov_numvfs", &VFS.to_string());
        let batch: String = (0..VFS)
            .flat_map(|vf| ["node_guid", "port_guid"].map(|key| (vf, key)))
            .map(|(vf, key)| format!("link set {} vf {vf} {key} {}\n", self.netdev, guid(vf)))
            .collect();
        fs::write("/run/batch", batch).unwrap();
        let status = Command::new("ip").args(["-batch", "/run/batch"]).status();
        assert!(status.unwrap().success());
        self.write("sriov_drivers_autoprobe", "1");
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= VFS {
                            return;
                        }
                        let vf = self.vf(index);
                        let name = vf.file_name().unwrap().to_str().unwrap();
                        fs::write("/sys/bus/pci/drivers_probe", name).unwrap();
                    }
                });
            }
        });
    }

    /// The same order by bash and iproute2, with no process that it can do without.
    fn script(&self) {
        shell(&format!(
            "cd {folder}
             echo 0 > sriov_drivers_autoprobe
             echo {VFS} > sriov_numvfs
             for ((n = 0; n < {VFS}; n++)); do
                 printf -v guid 02:00:00:00:00:00:01:%02x $n
                 echo link set {pf} vf $n node_guid $guid
                 echo link set {pf} vf $n port_guid $guid
             done > /run/batch
             ip -batch /run/batch
             echo 1 > sriov_drivers_autoprobe
             for ((at = 0; at < 8; at++)); do
                 for ((n = at; n < {VFS}; n += 8)); do
                     cd -P {folder}/virtfn$n
                     echo ${{PWD##*/}} > /sys/bus/pci/drivers_probe
                 done &
             done
             wait",
            folder = self.folder.display(),
            pf = self.netdev
        ));
    }

    fn loop_(&self) {
        shell(&format!(
            "cd {}
             echo {VFS} > sriov_numvfs
             for ((n = 0; n < {VFS}; n++)); do
                 guid=02:00:00:00:00:00:01:$(printf %02x $n)
                 ip link set {pf} vf $n node_guid $guid
                 ip link set {pf} vf $n port_guid $guid
                 vf=$(readlink virtfn$n)
                 echo ${{vf##*/}} > /sys/bus/pci/drivers/mlx5_core/unbind
                 echo ${{vf##*/}} > /sys/bus/pci/drivers/mlx5_core/bind
             done",
            self.folder.display(),
            pf = self.netdev
        ));
    }

    /// Whoever was quick did the whole of it: each VF has a driver, an RDMA device and a GUID.
    fn is_ready(&self) {
        for index in 0..VFS {
            let devices = fs::read_dir(self.vf(index).join("infiniband")).unwrap();
            let device = devices.map(|entry| entry.unwrap().path()).next();
            let guid = fs::read_to_string(device.unwrap().join("node_guid")).unwrap();
            assert_ne!(guid.trim(), "0000:0000:0000:0000", "VF {index}");
        }
    }
}

fn guid(vf: usize) -> String {
    format!("02:00:00:00:00:00:01:{vf:02x}")
}

fn time(way: &dyn Fn()) -> f64 {
    let begun = Instant::now();
    way();
    let took: Duration = begun.elapsed();
    took.as_secs_f64()
}

fn median(values: &[f64]) -> f64 {
    median_of(values.iter().copied())
}

/// The median of the ratios, pair by pair.
fn ratio(one: &[f64], other: &[f64]) -> f64 {
    median_of(one.iter().zip(other).map(|(one, other)| one / other))
}

fn median_of(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

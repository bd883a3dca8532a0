//! Both plugins killed, and refused, at every call with which they change something: DEL or GC leaves all as it was.
//!
//! What each sweep came to is in the log of times. Each kernel takes a third of the
//! steps, beginning with another, and of the errors one for each step; with `LAB_SWEEPS=whole` every kernel kills at
//! every step, and together they answer every call with each of the errors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use serde_json::{Value, json};

use super::{cni_call, ib_sriov};
use crate::case::{Case, KERNELS, case};
use crate::handle::Lab;
use crate::output::{Output, run};
use crate::snapshot::Snapshot;
use crate::tripwire::{self, Fault, Grain, Run, Step};

/// Set on the host, it comes along.
pub(crate) const WHOLE: &str = "LAB_SWEEPS";

const POD: &str = "/run/netns/pod";
/// What a shell says of a program that SIGKILL ended.
const KILLED: i32 = 137;
/// What a call may answer that does not do what it should.
const ERRORS: [Errno; 5] = [
    Errno::EIO,
    Errno::ENOSPC,
    Errno::EPERM,
    Errno::EBUSY,
    Errno::ENOBUFS,
];

/// What the kernel has not finished then, it will not.
const PATIENCE: Duration = Duration::from_secs(2);

const FOLDERS: [&str; 4] = [
    "/var/lib/cni",
    "/run/rdmactl",
    "/var/lib/rdmactl",
    "/run/lab/ipam",
];

/// Reserves one address for each container, in a file of its own; nothing of it can be half done.
const IPAM: &str = r#"#!/bin/sh
read -r config
file=/run/lab/ipam/$CNI_CONTAINERID
case $CNI_COMMAND in
    ADD) : >"$file"; echo '{"cniVersion":"1.1.0","ips":[{"address":"10.9.0.2/24","gateway":"10.9.0.1"}],"routes":[{"dst":"10.77.0.0/16"}]}' ;;
    CHECK) [ -e "$file" ] ;;
    DEL) rm -f "$file" ;;
    GC) rm -f /run/lab/ipam/* ;;
esac
"#;

pub(crate) fn cases() -> Vec<Case> {
    let sweep = |name, run| {
        case(name, run)
            .exclusive()
            .may_change(ib_sriov::ANEW)
            .limit(if is_whole() { 3600 } else { 300 })
    };
    vec![
        sweep("r17_rdma_add_killed", r17_rdma_add_killed),
        sweep("r17b_rdma_del_killed", r17b_rdma_del_killed),
        sweep("rdma_gc_killed", |lab| Sweep::rdma(lab).killed("GC")),
        sweep("rdma_add_refused", |lab| Sweep::rdma(lab).refused("ADD")),
        sweep("rdma_del_refused", |lab| Sweep::rdma(lab).refused("DEL")),
        sweep("rdma_gc_refused", |lab| Sweep::rdma(lab).refused("GC")),
        sweep("rdma_check_changes_nothing", |lab| {
            Sweep::rdma(lab).checked()
        }),
        sweep("s17_ib_sriov_add_killed", s17_ib_sriov_add_killed),
        sweep("s17c_ib_sriov_del_killed", s17c_ib_sriov_del_killed),
        sweep("ib_sriov_gc_killed", |lab| {
            Sweep::ib_sriov(lab).killed("GC")
        }),
        sweep("ib_sriov_add_refused", |lab| {
            Sweep::ib_sriov(lab).refused("ADD")
        }),
        sweep("ib_sriov_del_refused", |lab| {
            Sweep::ib_sriov(lab).refused("DEL")
        }),
        sweep("ib_sriov_gc_refused", |lab| {
            Sweep::ib_sriov(lab).refused("GC")
        }),
        sweep("ib_sriov_check_changes_nothing", |lab| {
            Sweep::ib_sriov(lab).checked()
        }),
    ]
}

/// Rows R5, R17.
fn r17_rdma_add_killed(lab: &Lab) {
    Sweep::rdma(lab).killed("ADD");
}

/// Rows R17b.
fn r17b_rdma_del_killed(lab: &Lab) {
    Sweep::rdma(lab).killed("DEL");
}

/// Rows S17, S17b.
fn s17_ib_sriov_add_killed(lab: &Lab) {
    Sweep::ib_sriov(lab).killed("ADD");
}

/// Rows S17c.
fn s17c_ib_sriov_del_killed(lab: &Lab) {
    Sweep::ib_sriov(lab).killed("DEL");
}

/// Which of the kernels this is.
pub(super) fn kernel() -> usize {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a kernel has a release");
    let own = KERNELS
        .iter()
        .position(|kernel| release.starts_with(kernel));
    own.expect("the lab knows its kernels")
}

pub(super) fn is_whole() -> bool {
    std::env::var_os(WHOLE).is_some()
}

/// One attachment of one plugin, made and ended again and again.
struct Sweep<'a> {
    lab: &'a Lab,
    plugin: &'static str,
    config: Value,
    before: Snapshot,
    leaks: Vec<String>,
}

impl<'a> Sweep<'a> {
    /// The device gets a name in the container, and has its own again at home.
    fn rdma(lab: &'a Lab) -> Self {
        let config = cni_call::with("cniVersion", json!("1.1.0"), cni_call::config(&lab.vf(0)));
        let prev = json!({"cniVersion": "1.1.0", "interfaces": [{"name": "eth0"}]});
        let config = cni_call::with("rdmaDeviceName", json!("hca%d"), config);
        Self::new(lab, "rdma", cni_call::with("prevResult", prev, config))
    }

    /// GUIDs, link state, RDMA device, interface and addresses: all that there is to lose.
    fn ib_sriov(lab: &'a Lab) -> Self {
        fs::create_dir_all("/run/lab/plugins").expect("the guest's /run can be written");
        let file = "/run/lab/plugins/lab-ipam";
        fs::write(file, IPAM).expect("the guest's /run can be written");
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let config = cni_call::with("cniVersion", json!("1.1.0"), ib_sriov::config(&lab.vf(0)));
        let config = cni_call::with("ipam", json!({"type": "lab-ipam"}), config);
        Self::new(lab, "ib-sriov", config)
    }

    fn new(lab: &'a Lab, plugin: &'static str, config: Value) -> Self {
        fs::create_dir_all("/run/lab/ipam").expect("the guest's /run can be written");
        Self {
            lab,
            plugin,
            config: cni_call::with("cni.dev/valid-attachments", json!([]), config),
            before: Snapshot::of_home(&FOLDERS),
            leaks: Vec::new(),
        }
    }

    fn command(&self, verb: &str) -> std::process::Command {
        let env = [("CNI_NETNS", POD), ("CNI_PATH", "/run/lab/plugins")];
        self.lab.cni_command(self.plugin, verb, &env)
    }

    fn call(&self, verb: &str) -> Output {
        run(&mut self.command(verb), &self.config.to_string())
    }

    fn disturb(&self, verb: &str, grain: Grain, at: usize, fault: Fault) -> Run {
        let input = self.config.to_string();
        tripwire::disturb(&mut self.command(verb), &input, grain, ("", at), fault)
    }

    /// What a call comes after.
    fn prepare(&self, verb: &str) {
        if verb != "ADD" {
            self.call("ADD").ok();
        }
    }

    /// The steps of an undisturbed call.
    fn steps(&self, verb: &str, grain: Grain) -> Vec<Step> {
        let record = || {
            self.prepare(verb);
            let input = self.config.to_string();
            let run = tripwire::record(&mut self.command(verb), &input, grain);
            run.output.ok();
            self.call("DEL").ok();
            run.steps
        };
        // The first time makes folders, which stay.
        record();
        record()
    }

    /// Whether everything is as it was; the kernel may be at it for a moment.
    fn is_as_it_was(&mut self, what: &str, except: &[&str]) {
        let begun = Instant::now();
        let mut now = Snapshot::of_home(&FOLDERS);
        while !self.before.diff(&now, except).is_empty() && begun.elapsed() < PATIENCE {
            sleep(Duration::from_millis(20));
            now = Snapshot::of_home(&FOLDERS);
        }
        let diff = self.before.diff(&now, except);
        if !diff.is_empty() {
            self.leaks.push(format!("{what}:\n{diff}"));
            // What is lost is lost once, not at every step that follows.
            self.before = now;
        }
    }

    fn mend(&mut self, verb: &str, what: &str) {
        let output = self.call(verb);
        let what = format!("{what}, then {verb}");
        if output.status != 0 {
            self.leaks.push(format!("{what}: {output}"));
        }
        self.is_as_it_was(&what, &["folder /"]);
    }

    /// Killed at each step; then DEL or GC, in turn.
    fn killed(mut self, verb: &str) {
        let _pod = self.lab.netns("pod");
        let steps = self.steps(verb, Grain::Changes);
        let (mut points, mut children) = (0, 0);
        let mine = |n: usize| is_whole() || n % KERNELS.len() == kernel();
        for (n, step) in steps.iter().enumerate().filter(|(n, _)| mine(*n)) {
            let mut faults = vec![Fault::Kill];
            if step.by_child {
                faults.push(Fault::KillLeader);
                children += 1;
            }
            for fault in faults {
                self.prepare(verb);
                let run = self.disturb(verb, Grain::Changes, n + 1, fault);
                let what = told(verb, n, fault, &run);
                if run.hit.is_some() {
                    points += 1;
                    if run.output.status != KILLED {
                        self.leaks
                            .push(format!("{what}: not killed: {}", run.output));
                    }
                }
                let mend = if n % 2 == 0 { "DEL" } else { "GC" };
                self.mend(mend, &what);
            }
        }
        self.end(&format!(
            "{verb} killed at {points} points of {} steps, {children} of them of children",
            steps.len()
        ));
    }

    /// Refused at each step. An ADD that fails has undone what it did, and one that succeeds has done it.
    fn refused(mut self, verb: &str) {
        let _pod = self.lab.netns("pod");
        let count = self.steps(verb, Grain::Calls).len();
        let mut points = 0;
        for n in 0..count {
            for (e, errno) in ERRORS.into_iter().enumerate() {
                let mine = if is_whole() {
                    (n * ERRORS.len() + e) % KERNELS.len() == kernel()
                } else {
                    n % KERNELS.len() == kernel() && n / KERNELS.len() % ERRORS.len() == e
                };
                if !mine {
                    continue;
                }
                self.prepare(verb);
                let fault = Fault::Error(errno);
                let run = self.disturb(verb, Grain::Calls, n + 1, fault);
                let what = told(verb, n, fault, &run);
                points += u32::from(run.hit.is_some());
                self.judge(verb, &what, &run);
                let mend = if verb == "GC" { "GC" } else { "DEL" };
                self.mend(mend, &what);
            }
        }
        self.end(&format!(
            "{verb} refused at {points} points of {count} steps"
        ));
    }

    fn judge(&mut self, verb: &str, what: &str, run: &Run) {
        let output = &run.output;
        let hit = run.hit.as_ref().map_or("", |step| &step.what);
        let printing = hit == "write to 1";
        let whole = printing || serde_json::from_str::<Value>(&output.stdout).is_ok();
        match output.status {
            0 if verb == "ADD" && !printing => {
                let prev = serde_json::from_str(&output.stdout).unwrap_or_default();
                let config = cni_call::with("prevResult", prev, self.config.clone());
                let checked = crate::output::run(&mut self.command("CHECK"), &config.to_string());
                if checked.status != 0 {
                    self.leaks
                        .push(format!("{what} says that it is done: {checked}"));
                }
            }
            // What has been done cannot be told: DEL comes next.
            1 if printing => {}
            1 if verb == "ADD" && whole => {
                self.is_as_it_was(&format!("{what} and undone"), &["folder /", "/run/rdmactl"]);
            }
            0 => {}
            1 if whole => {}
            _ => self.leaks.push(format!("{what}: {output}")),
        }
    }

    /// CHECK changes nothing, whatever happens to it.
    fn checked(mut self) {
        let _pod = self.lab.netns("pod");
        let added = self.call("ADD").ok().json();
        self.config["prevResult"] = added;
        let before = Snapshot::take();
        let input = self.config.to_string();
        let steps = tripwire::record(&mut self.command("CHECK"), &input, Grain::Calls);
        let count = steps.steps.len();
        steps.output.ok();
        let mut points = 0;
        let mine = |n: &usize| is_whole() || n % KERNELS.len() == kernel();
        for n in (0..count).filter(mine) {
            for fault in [Fault::Kill, Fault::Error(ERRORS[n % ERRORS.len()])] {
                let run = self.disturb("CHECK", Grain::Calls, n + 1, fault);
                let what = told("CHECK", n, fault, &run);
                let diff = before.diff(&Snapshot::take(), &["folder /"]);
                if !diff.is_empty() {
                    self.leaks.push(format!("{what}:\n{diff}"));
                }
                points += 1;
            }
        }
        self.call("CHECK").ok();
        self.mend("DEL", "CHECK");
        self.end(&format!(
            "CHECK disturbed at {points} points of {count} steps"
        ));
    }

    fn end(self, what: &str) {
        println!("{} {what}: {} leaks", self.plugin, self.leaks.len());
        assert!(self.leaks.is_empty(), "{}", self.leaks.join("\n"));
    }
}

fn told(verb: &str, n: usize, fault: Fault, run: &Run) -> String {
    let hit = run.hit.as_ref().map_or("nowhere", |step| &step.what);
    let status = run.output.status;
    format!(
        "{verb} with {fault:?} at step {} ({hit}), which ended with {status}",
        n + 1
    )
}

//! The `ib-sriov` plugin killed, and refused, at every step: DEL leaves the VF as it was.

use serde_json::Value;

use super::ib_sriov::*;
use crate::case::{Case, KERNELS, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;

/// Each change a call makes is one of these: messages to the kernel, sysfs and records, locks, namespaces.
const STEPS: [&str; 9] = [
    "sendto", "write", "fsync", "linkat", "rename", "unlink", "mkdir", "flock", "setns",
];

/// What a system call may answer when it does not do what it should.
const ERRORS: [&str; 5] = ["EIO", "ENOSPC", "EPERM", "EBUSY", "ENOBUFS"];

pub(crate) fn cases() -> Vec<Case> {
    let exclusive = |name, run| case(name, run).exclusive().may_change(ANEW).limit(400);
    vec![
        exclusive("s17_add_killed", s17_add_killed),
        exclusive("s17c_del_killed", s17c_del_killed),
        exclusive("add_refused", add_refused),
        exclusive("del_refused", del_refused),
    ]
}

/// `strace` ends as the program did.
const KILLED: i32 = 137;

/// Every kernel takes every third step, beginning with another: together they take them all.
fn is_mine(n: u32) -> bool {
    let release =
        std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a kernel has a release");
    let own = KERNELS
        .iter()
        .position(|kernel| release.starts_with(kernel));
    n % 3 == own.expect("the lab knows its kernels") as u32
}

/// A call in which the n-th of one system call is answered with `fault`.
fn faulty(lab: &Lab, verb: &str, conf: &Value, syscall: &str, fault: &str, n: u32) -> Output {
    lab.sh(&format!(
        "export CNI_COMMAND={verb} CNI_CONTAINERID=lab-container CNI_IFNAME=eth0 CNI_NETNS={POD} CNI_PATH=/x
         exec strace --seccomp-bpf -f -o /dev/null -e trace={syscall} -e inject={syscall}:{fault}:when={n} {FACES}/ib-sriov <<'END'\n{conf}\nEND"
    ))
}

/// How often an undisturbed call makes a system call.
fn count(lab: &Lab, verb: &str, conf: &Value, syscall: &str) -> u32 {
    let script = format!(
        "export CNI_COMMAND={verb} CNI_CONTAINERID=lab-container CNI_IFNAME=eth0 CNI_NETNS={POD} CNI_PATH=/x
         strace --seccomp-bpf -f -o /run/lab/strace -e trace={syscall} {FACES}/ib-sriov >/dev/null <<'END'\n{conf}\nEND
         grep -c '{syscall}(' /run/lab/strace; rm /run/lab/strace"
    );
    lab.sh(&script).stdout.trim().parse().expect("a number")
}

/// The VF is as it was once DEL has been called as often as a runtime would.
#[track_caller]
fn recovered(lab: &Lab, conf: &Value, before: &AsItWas, what: &str) {
    let last = (0..3)
        .map(|_| call(lab, "DEL", POD, conf))
        .find(|output| output.status == 0);
    assert!(last.is_some(), "{what}: DEL never succeeds");
    assert!(
        as_it_is(lab, 0) == *before,
        "{what}: {:?} became {:?}",
        before,
        as_it_is(lab, 0)
    );
    is_as_it_was(lab, 0, before);
}

/// Disturbs `verb` at every step that is this kernel's, and looks after each; how many there were.
fn sweep(lab: &Lab, verb: &str, fault_of: impl Fn(u32) -> String, prepare: impl Fn()) -> u32 {
    let before = as_it_is(lab, 0);
    let conf = config(&lab.vf(0));
    let mut done = 0;
    for step in STEPS {
        prepare();
        let all = count(lab, verb, &conf, step);
        recovered(lab, &conf, &before, "undisturbed");
        for n in (1..=all).filter(|n| is_mine(*n)) {
            prepare();
            let fault = fault_of(n);
            let output = faulty(lab, verb, &conf, step, &fault, n);
            let what = format!(
                "{verb} with {fault} at {step} {n} of {all} ended with {}",
                output.status
            );
            // When the answer itself cannot be written, nothing can be.
            let told = !output.stdout.is_empty() || step != "write";
            if fault.starts_with("error") && output.status != 0 && told {
                let text = output.stdout.trim();
                assert!(
                    serde_json::from_str::<Value>(text).is_ok(),
                    "{what}: {output}"
                );
            }
            assert!(
                output.status == 0 || output.status == 1 || output.status == KILLED,
                "{what}: {output}"
            );
            recovered(lab, &conf, &before, &what);
            done += 1;
        }
    }
    println!("{verb}: disturbed {done} times");
    done
}

/// Rows S17b.
fn s17_add_killed(lab: &Lab) {
    let _pod = lab.netns("pod");
    let done = sweep(lab, "ADD", |_| "signal=KILL".to_owned(), || {});
    assert!(done > 15, "killed {done} times only");
}

fn s17c_del_killed(lab: &Lab) {
    let _pod = lab.netns("pod");
    let conf = config(&lab.vf(0));
    let prepare = || drop(call(lab, "ADD", POD, &conf).ok());
    let done = sweep(lab, "DEL", |_| "signal=KILL".to_owned(), prepare);
    assert!(done > 10, "killed {done} times only");
}

fn error(n: u32) -> String {
    format!("error={}", ERRORS[(n / 3) as usize % ERRORS.len()])
}

fn add_refused(lab: &Lab) {
    let _pod = lab.netns("pod");
    let done = sweep(lab, "ADD", error, || {});
    assert!(done > 15, "refused {done} times only");
}

fn del_refused(lab: &Lab) {
    let _pod = lab.netns("pod");
    let conf = config(&lab.vf(0));
    let prepare = || drop(call(lab, "ADD", POD, &conf).ok());
    let done = sweep(lab, "DEL", error, prepare);
    assert!(done > 10, "refused {done} times only");
}

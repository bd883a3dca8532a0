//! `vf create` and `vf destroy` when the kernel, or another command, takes its time.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::vf_create::{FOLDERS, autoprobe, has, numvfs};
use super::vf_create_use::Running;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    let bare = |name, run| case(name, run).vfs(0).exclusive().may_change(FOLDERS);
    vec![
        bare("hangs", hangs).limit(90),
        bare("one_at_a_time", one_at_a_time).only(
            &["6.12"],
            "the lock is ours, and no kernel knows it from another",
        ),
    ]
}

/// The kernel does not come back; we do, and what was asked for is done when it does.
fn hangs(lab: &Lab) {
    let pf = lab.pf();
    let stuck = |output: Output, value: &str| {
        let path = format!("/sys/bus/pci/devices/{pf}/sriov_numvfs");
        output
            .fails(1)
            .stdout_is("")
            .stderr_has(&format!(
                "writing {value} to {path} has not come back after 1 s; process "
            ))
            .stderr_has("  fix: cat /proc/");
    };
    lab.inject("numvfs_delay_ms", "600000");
    let begun = Instant::now();
    let words = ["vf", "create", &pf, "2", "--no-probe", "--timeout", "1"];
    stuck(lab.rdmactl(&words), "2");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    // Drivers are kept away for as long as the kernel is at it; looking waits for nothing.
    assert_eq!(autoprobe(&pf), "0");
    stuck(lab.rdmactl(&words), "2");
    lab.inject("numvfs_delay_ms", "0");
    until("the kernel has finished, and the PF is as it was", || {
        autoprobe(&pf) == "1" && pci::vf(&pf, 1).is_some()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(pci::target(pci::device(&lab.vf(1)).join("driver")), None);
    lab.rdmactl(&["vf", "bind", &format!("{pf}/0")]).ok();
    lab.inject("remove_delay_ms", "600000");
    stuck(lab.rdmactl(&["vf", "destroy", &pf, "--timeout", "1"]), "0");
    lab.inject("remove_delay_ms", "0");
    until("the VFs are gone", || pci::vf(&pf, 0).is_none())
        .unwrap_or_else(|error| panic!("{error}"));
    until("the kernel has finished", || numvfs(&pf) == "0")
        .unwrap_or_else(|error| panic!("{error}"));
    // Killed half-way, with no time to put anything back.
    lab.inject("numvfs_delay_ms", "600000");
    let create = Running::new(&[
        &format!("{FACES}/rdmactl"),
        "vf",
        "create",
        &pf,
        "2",
        "--no-probe",
    ]);
    until("drivers are kept away", || autoprobe(&pf) == "0")
        .unwrap_or_else(|error| panic!("{error}"));
    sleep(Duration::from_millis(300));
    drop(create);
    lab.inject("numvfs_delay_ms", "0");
    until("the PF is as it was", || {
        autoprobe(&pf) == "1" && numvfs(&pf) == "2"
    })
    .unwrap_or_else(|error| panic!("{error}"));
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

fn one_at_a_time(lab: &Lab) {
    let pf = lab.pf();
    lab.inject("numvfs_delay_ms", "2500");
    let first = Running::new(&[&format!("{FACES}/rdmactl"), "vf", "create", &pf, "2"]);
    let lock = format!("/run/rdmactl/pf/{pf}.lock");
    until("the first has the lock", || fs::metadata(&lock).is_ok())
        .unwrap_or_else(|error| panic!("{error}"));
    lab.rdmactl(&["vf", "create", &pf, "3", "--timeout", "1"])
        .fails(1)
        .stderr_has(&format!(
            "{lock} is locked by process {} (rdmactl), waited 1 s\ncause: another command is at work",
            first.pid()
        ));
    // One with more patience finds the work done.
    let second = lab.rdmactl(&["-j", "vf", "create", &pf, "2"]).ok();
    has(&second, &pf, 2);
    lab.inject("numvfs_delay_ms", "0");
    drop(first);
    lab.rdmactl(&["vf", "destroy", &pf]).ok();
}

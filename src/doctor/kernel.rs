//! The running kernel: its version against what commands need, and whether it is locked down.

use super::{Facts, Finding, Id};

/// `openat2`, without which no file of sysfs is opened.
const OLDEST: (u32, u32) = (5, 6);

/// What newer kernels than [`OLDEST`] brought, as README lists it.
const FEATURES: [((u32, u32), &str); 10] = [
    ((5, 13), "resource show ctx, resource show srq"),
    ((5, 16), "statistic mode, statistic set and unset"),
    ((6, 7), QKEY),
    ((6, 11), "dev add, dev delete"),
    ((6, 12), MONITOR),
    ((6, 15), "statistic qp set ... optional-counters"),
    ((7, 1), "resource show frmr_pools, resource set frmr_pools"),
    ((7, 3), "resource show: how many objects a device can have"),
    ((7, 3), "moving soft-RoCE to a namespace"),
    ((7, 3), "the same device name in several namespaces"),
];

const QKEY: &str = "system set privileged-qkey";
const MONITOR: &str = "monitor --kernel";

const LOCKDOWN: &str = "kernel/security/lockdown";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(version(facts));
    found.extend(lockdown(facts));
    found
}

fn version(facts: &Facts<'_>) -> Option<Finding> {
    let release = facts.release()?;
    let finding = |id| Finding::new(id).saw("uname -r", release.text.as_str());
    if release.version < OLDEST {
        return Some(
            finding(Id::KernelTooOld).advise("boot Linux 5.6 or later, better 6.1 or later"),
        );
    }
    // A distribution may have brought them back: Debian's 6.1 has privileged-qkey.
    let system = facts.rdma().system;
    let is_there = |what: &str| match what {
        QKEY => system.privileged_qkey.is_some(),
        MONITOR => system.monitor.is_some(),
        _ => false,
    };
    let missing = FEATURES
        .iter()
        .filter(|(since, what)| release.version < *since && !is_there(what));
    let mut finding = finding(Id::KernelFeatures);
    for ((major, minor), what) in missing {
        finding = finding.saw(format!("Linux {major}.{minor}"), *what);
    }
    // The first is the release itself.
    (finding.evidence.len() > 1)
        .then(|| finding.advise("boot a newer kernel if you need them; everything else works"))
}

/// `Documentation/admin-guide/LSM`: the level in force stands in brackets.
fn lockdown(facts: &Facts<'_>) -> Option<Finding> {
    let text = facts.host.sysfs().read(LOCKDOWN).ok()?;
    let level = text.split_once('[')?.1.split_once(']')?.0;
    (level != "none").then(|| {
        Finding::new(Id::KernelLockdown)
            .saw(format!("/sys/{LOCKDOWN}"), text.as_str())
            .advise("set the number of VFs with devlink (Linux 6.18, mlx5), from the BIOS, or with Secure Boot off for as long as mstconfig runs; nothing else is affected")
    })
}

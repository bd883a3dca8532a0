//! A preflight of the host: what is wrong or will be, where it was read, and what to do about it.
//!
//! Nothing is changed, and nothing is waited for: no attribute is read that takes the lock of a
//! device (`sriov_numvfs`, `driver_override`), no module is loaded by a socket, no pipe is opened
//! in the place of a file, and no plugin is run to ask for its version.

mod adapter;
mod area;
mod chain_file;
mod chain_keys;
mod chains;
mod cni_folders;
mod devices;
mod facts;
mod finding;
mod guids;
mod id;
mod kernel;
mod leases;
mod macs;
mod managers;
mod modules;
mod names;
mod netns_mode;
mod plugins;
mod ports;
mod privilege;
#[cfg(test)]
mod tests;
mod vfs;

pub use area::Area;
pub use facts::Facts;
pub use finding::{Evidence, Finding, Remedy, Saw};
pub use id::{Id, Severity};

use crate::kernel::Host;

/// Examines these areas, or all of them when none is named. What could not be looked at is a
/// finding too, whichever areas are asked for.
pub fn examine(host: &Host, areas: &[Area]) -> Vec<Finding> {
    examine_facts(&Facts::of(host), areas)
}

fn examine_facts(facts: &Facts<'_>, areas: &[Area]) -> Vec<Finding> {
    let wanted = |area: &Area| areas.is_empty() || areas.contains(area);
    let chosen = Area::ALL.into_iter().filter(wanted);
    let mut findings: Vec<Finding> = chosen.flat_map(|area| check(facts, area)).collect();
    findings.extend(privilege::unseen(facts));
    findings
}

fn check(facts: &Facts<'_>, area: Area) -> Vec<Finding> {
    match area {
        Area::Kernel => kernel::check(facts),
        Area::Modules => modules::check(facts),
        Area::Netns => netns_mode::check(facts),
        Area::Names => names::check(facts),
        Area::Devices => devices::check(facts),
        Area::Vfs => vfs::check(facts),
        Area::Ports => ports::check(facts),
        Area::Privilege => privilege::check(facts),
        Area::Plugins => plugins::check(facts),
        Area::Chains => chains::check(facts),
        Area::Leases => leases::check(facts),
        Area::Managers => managers::check(facts),
    }
}

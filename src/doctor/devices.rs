//! What devices can do: whether they can be moved to a namespace, as far as that can be known.

use super::facts::Release;
use super::{Facts, Finding, Id};
use crate::types::NetnsMode;

/// Soft-RoCE can be taken away from its users since then.
const SOFT_ROCE_MOVES: (u32, u32) = (7, 3);

/// A driver does not tell whether it can take a device away from its users; only the move itself
/// does. What is known is soft-RoCE of older kernels.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let is_old = |release: &Release| release.version < SOFT_ROCE_MOVES;
    let Some(release) = facts.release().filter(|release| is_old(release)) else {
        return Vec::new();
    };
    if facts.mode() != Some(NetnsMode::Exclusive) {
        return Vec::new();
    }
    let sysfs = facts.host.sysfs();
    let devices = facts.rdma().devices.iter();
    let found = devices.filter_map(|device| {
        let folder = device.name.replace('/', "!");
        // Only soft-RoCE has it (drivers/infiniband/sw/rxe/rxe_verbs.c).
        let path = format!("class/infiniband/{folder}/parent");
        let netdev = sysfs.read(&path).ok()?;
        Some(
            Finding::about(Id::DevicesNoMove, device.name.as_str())
                .saw(format!("/sys/{path}"), format!("{netdev}: it is soft-RoCE"))
                .saw("uname -r", release.text.as_str())
                .advise("move its network interface first and make the device there; or boot Linux 7.3 or later"),
        )
    });
    found.collect()
}

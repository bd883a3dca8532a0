//! `Away`: RDMA devices that exist and are in another network namespace than the one looked from.
//!
//! `/sys/class/infiniband` shows those of its namespace. `/sys/class/infiniband_verbs` shows all:
//! uverbs devices belong to no namespace (`ib_uverbs_add_one`, drivers/infiniband/core).

use std::collections::BTreeSet;

use crate::kernel::{Sysfs, SysfsError};
use crate::types::DeviceId;

/// A device that is elsewhere, as its uverbs device tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Away {
    /// What it sits on; software devices sit on nothing.
    pub id: Option<DeviceId>,
    /// Its name, where it is now.
    pub name: String,
    /// Its uverbs device, as `uverbs3`.
    pub uverbs: String,
}

/// Every such device, sorted; none while `ib_uverbs` is not loaded.
///
/// # Errors
/// [`SysfsError`] when a class cannot be listed; a device that goes away meanwhile is not away.
pub fn list(sysfs: &Sysfs) -> Result<Vec<Away>, SysfsError> {
    let here: BTreeSet<(Option<String>, String)> = sysfs
        .list_if_there("class/infiniband")?
        .into_iter()
        .map(|name| (parent(sysfs, "infiniband", &name), name))
        .collect();
    let mut away = Vec::new();
    for uverbs in sysfs.list_if_there("class/infiniband_verbs")? {
        // `abi_version` stands among the devices.
        let Ok(name) = sysfs.read(format!("class/infiniband_verbs/{uverbs}/ibdev")) else {
            continue;
        };
        let below = parent(sysfs, "infiniband_verbs", &uverbs);
        // The kernel writes `!` for `/` in file names (kobject_set_name_vargs).
        if !here.contains(&(below.clone(), name.replace('/', "!"))) {
            away.push(Away {
                id: below.and_then(|below| below.parse().ok()),
                name,
                uverbs,
            });
        }
    }
    away.sort();
    Ok(away)
}

fn parent(sysfs: &Sysfs, class: &str, name: &str) -> Option<String> {
    sysfs.link_name(format!("class/{class}/{name}/device")).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    /// Adds a member of a class that sits on a PCI function.
    pub(in crate::rdma) fn member(
        machine: Machine,
        class: &str,
        name: &str,
        below: &str,
    ) -> Machine {
        machine
            .link(
                &format!("sys/devices/{below}/{class}/{name}/device"),
                &format!("../../../{below}"),
            )
            .link(
                &format!("sys/class/{class}/{name}"),
                &format!("../../devices/{below}/{class}/{name}"),
            )
    }

    #[test]
    fn uverbs_devices_without_their_device() {
        let mut machine = Machine::new().file("sys/class/infiniband_verbs/abi_version", "6\n");
        for (uverbs, name, below) in [
            ("uverbs0", "mlx5_0", "0000:01:00.0"),
            ("uverbs1", "mlx5_0", "0000:01:10.0"),
            ("uverbs2", "a/b", "0000:01:10.2"),
            ("uverbs3", "mlx5_9", "mlx5_core.sf.4"),
        ] {
            machine = member(machine, "infiniband_verbs", uverbs, below).file(
                &format!("sys/devices/{below}/infiniband_verbs/{uverbs}/ibdev"),
                format!("{name}\n"),
            );
        }
        machine = member(machine, "infiniband", "mlx5_0", "0000:01:00.0");
        machine = member(machine, "infiniband", "a!b", "0000:01:10.2");
        let away = list(machine.host().sysfs()).unwrap();
        let told: Vec<_> = away
            .iter()
            .map(|away| {
                let id = away.id.as_ref().map(DeviceId::to_string);
                (
                    id.unwrap_or_default(),
                    away.name.as_str(),
                    away.uverbs.as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("0000:01:10.0".to_owned(), "mlx5_0", "uverbs1"),
                ("mlx5_core.sf.4".to_owned(), "mlx5_9", "uverbs3"),
            ]
        );
        assert!(list(Machine::new().host().sysfs()).unwrap().is_empty());
    }
}

//! `Shown`: what VFs show of their drivers, and their devices and interfaces put in order by it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::{StepError, interface_names, naming};
use crate::kernel::{Host, Sysfs};
use crate::pci::appearance::Equipment;
use crate::pci::device::rdma_names;
use crate::pci::function;
use crate::provision::journal;
use crate::sriov::pf::{self, Vf};
use crate::types::{DeviceId, IfName, PciAddr};

/// What a VF with a driver shows of it.
pub(super) struct Shown {
    rdma: Vec<String>,
    netdevs: Vec<IfName>,
}

impl Shown {
    pub(super) fn of(sysfs: &Sysfs, vf: PciAddr) -> Result<Self, StepError> {
        Ok(Self {
            rdma: rdma_names(sysfs, &DeviceId::Pci(vf))?,
            netdevs: function::netdevs(sysfs, vf)?,
        })
    }

    pub(super) fn equipment(&self) -> Equipment {
        Equipment {
            driver: true,
            rdma: !self.rdma.is_empty(),
            netdev: !self.netdevs.is_empty(),
        }
    }
}

/// The RDMA devices of these VFs, and of those that an apply before this one left out of order:
/// their numbers are given anew, by PF and index.
pub(super) fn put_in_order(
    host: &Host,
    bound: Vec<(PciAddr, Vf, Shown)>,
) -> Result<(), (PciAddr, StepError)> {
    let new: BTreeSet<PciAddr> = bound.iter().map(|(pf, _, _)| *pf).collect();
    let bound = bound.into_iter().map(|(pf, vf, shown)| ((pf, vf), shown));
    let mut vfs: BTreeMap<(PciAddr, Vf), Shown> = bound.collect();
    let mut add = |pf: PciAddr| -> Result<(), StepError> {
        let now = pf::read(host.sysfs(), pf).ok().flatten();
        for vf in now.into_iter().flat_map(|now| now.vfs) {
            if let Entry::Vacant(entry) = vfs.entry((pf, vf)) {
                entry.insert(Shown::of(host.sysfs(), vf.address)?);
            }
        }
        Ok(())
    };
    let on_record = journal::all(host).unwrap_or_default().into_iter();
    let marked: Vec<PciAddr> = on_record
        .filter(|(_, originals)| originals.is_being_named)
        .map(|(pf, _)| pf)
        .collect();
    for pf in marked.iter().filter(|pf| !new.contains(pf)) {
        add(*pf).map_err(|error| (*pf, error))?;
    }
    for pf in &new {
        // A VF that was bound before a kill, with its new neighbours.
        let earlier = journal::read(host, *pf).ok().flatten();
        if earlier.is_some_and(|earlier| earlier.was_killed) {
            add(*pf).map_err(|error| (*pf, error))?;
        }
    }
    let first = vfs.keys().next().map(|(pf, _)| *pf);
    let (mut devices, mut netdevs) = (Vec::new(), Vec::new());
    for shown in vfs.into_values() {
        devices.push(shown.rdma);
        netdevs.push(shown.netdevs);
    }
    let ordered =
        naming::in_order(host, &devices).and_then(|()| match naming::is_udev_there(host) {
            true => Ok(()),
            false => interface_names::in_order(host, &netdevs),
        });
    if let (Some(pf), Err(error)) = (first, ordered) {
        return Err((pf, error));
    }
    for pf in marked {
        journal::set_being_named(host, pf, false).map_err(|error| (pf, error.into()))?;
    }
    Ok(())
}

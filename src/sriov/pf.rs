//! `Pf`: a physical function and its VFs, by index and address.

use crate::kernel::{Sysfs, SysfsError};
use crate::pci::function::{self, Role};
use crate::types::PciAddr;

/// A physical function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pf {
    /// Its address.
    pub address: PciAddr,
    /// How many VFs it can have.
    pub total_vfs: u16,
    /// The VFs it has, by index.
    pub vfs: Vec<Vf>,
}

/// A virtual function of a [`Pf`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Vf {
    /// Its number on the PF, from 0; what rtnetlink calls `vf`.
    pub index: u16,
    /// Its address.
    pub address: PciAddr,
}

impl Pf {
    /// The VF with this index.
    pub fn vf(&self, index: u16) -> Option<Vf> {
        self.vfs.iter().copied().find(|vf| vf.index == index)
    }

    /// The VF with this address.
    pub fn vf_at(&self, address: PciAddr) -> Option<Vf> {
        self.vfs.iter().copied().find(|vf| vf.address == address)
    }
}

/// What the links to VFs are called, before their index.
const VIRTFN: &str = "virtfn";

/// The PF with this address; `None` when there is nothing, or something that can have no VFs.
///
/// The VFs come from the `virtfnN` links: `sriov_numvfs` waits for the lock of the device and so
/// for whoever is creating VFs (`sriov_numvfs_show`, drivers/pci/iov.c).
///
/// # Errors
/// [`SysfsError`]; a VF that goes away meanwhile is not listed.
pub fn read(sysfs: &Sysfs, address: PciAddr) -> Result<Option<Pf>, SysfsError> {
    let Role::Pf { total_vfs } = function::role(sysfs, address)? else {
        return Ok(None);
    };
    let folder = function::folder(address);
    let mut vfs = Vec::new();
    let links = match sysfs.links(&folder, VIRTFN) {
        Err(error) if error.is_absent() => Vec::new(),
        other => other?,
    };
    for (name, target) in links {
        let index = name.strip_prefix(VIRTFN).and_then(|n| n.parse().ok());
        if let (Some(index), Ok(address)) = (index, target.parse()) {
            vfs.push(Vf { index, address });
        }
    }
    vfs.sort();
    Ok(Some(Pf {
        address,
        total_vfs,
        vfs,
    }))
}

/// Every PF of the machine, by address.
///
/// # Errors
/// [`SysfsError`].
pub fn list(sysfs: &Sysfs) -> Result<Vec<Pf>, SysfsError> {
    others(sysfs, None)
}

/// Every PF but one, by address.
///
/// # Errors
/// [`SysfsError`].
pub fn others(sysfs: &Sysfs, except: Option<&Pf>) -> Result<Vec<Pf>, SysfsError> {
    let is_known =
        |address| except.is_some_and(|pf| pf.address == address || pf.vf_at(address).is_some());
    let mut pfs = Vec::new();
    for address in function::addresses(sysfs)? {
        // Most functions are VFs, which lack this file.
        let may_be = || sysfs.exists(function::folder(address).join("sriov_totalvfs"));
        if !is_known(address) && may_be() {
            pfs.extend(read(sysfs, address)?);
        }
    }
    Ok(pfs)
}

/// The functions that have an interface or an RDMA device, and no VFs to offer: where firmware or
/// BIOS have SR-IOV switched off, the kernel does not make the files of it.
///
/// # Errors
/// [`SysfsError`].
pub fn without_vfs(sysfs: &Sysfs) -> Result<Vec<Pf>, SysfsError> {
    let mut pfs = Vec::new();
    for address in function::addresses(sysfs)? {
        let folder = function::folder(address);
        let is_for_networks = ["net", "infiniband"]
            .iter()
            .any(|class| sysfs.exists(folder.join(class)));
        if is_for_networks && function::role(sysfs, address)? == Role::Plain {
            pfs.push(Pf {
                address,
                total_vfs: 0,
                vfs: Vec::new(),
            });
        }
    }
    Ok(pfs)
}

/// The PF of a VF, and the VF; `None` when the function is no VF, or is not any more.
///
/// # Errors
/// [`SysfsError`].
pub fn of_vf(sysfs: &Sysfs, address: PciAddr) -> Result<Option<(Pf, Vf)>, SysfsError> {
    let Role::Vf { pf } = function::role(sysfs, address)? else {
        return Ok(None);
    };
    let pf = read(sysfs, pf)?;
    Ok(pf.and_then(|pf| pf.vf_at(address).map(|vf| (pf, vf))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    fn machine() -> Machine {
        let mut machine = Machine::new();
        for (name, total) in [("0000:01:00.0", "12"), ("0000:02:00.0", "0")] {
            machine = machine
                .file(&format!("sys/devices/{name}/sriov_totalvfs"), total)
                .link(
                    &format!("sys/bus/pci/devices/{name}"),
                    &format!("../../../devices/{name}"),
                );
        }
        for index in [0, 1, 2, 10] {
            let name = format!("0000:01:10.{}", index % 8);
            machine = machine
                .link(
                    &format!("sys/devices/0000:01:00.0/virtfn{index}"),
                    &format!("../{name}"),
                )
                .link(
                    &format!("sys/devices/{name}{index}/physfn"),
                    "../0000:01:00.0",
                );
        }
        machine
            .link(
                "sys/bus/pci/devices/0000:01:10.1",
                "../../../devices/0000:01:10.11",
            )
            .link("sys/devices/0000:01:00.0/virtfnX", "../0000:01:10.7")
            .link("sys/devices/0000:01:00.0/virtfn7", "../nonsense")
    }

    #[test]
    fn vfs_come_in_the_order_of_their_index() {
        let machine = machine();
        let host = machine.host();
        let pfs = list(host.sysfs()).unwrap();
        let [first, second] = &pfs[..] else {
            panic!("{pfs:?}")
        };
        let indices: Vec<u16> = first.vfs.iter().map(|vf| vf.index).collect();
        assert_eq!((indices, first.total_vfs), (vec![0, 1, 2, 10], 12));
        assert_eq!((second.total_vfs, second.vfs.len()), (0, 0));
        assert_eq!(
            first.vf(10).map(|vf| vf.address.to_string()).as_deref(),
            Some("0000:01:10.2")
        );
        assert_eq!(first.vf(3), None);
    }

    #[test]
    fn a_vf_knows_its_pf() {
        let machine = machine();
        let host = machine.host();
        let vf = "0000:01:10.1".parse().unwrap();
        let (pf, vf) = of_vf(host.sysfs(), vf).unwrap().unwrap();
        assert_eq!(
            (pf.address.to_string().as_str(), vf.index),
            ("0000:01:00.0", 1)
        );
        assert_eq!(of_vf(host.sysfs(), pf.address).unwrap(), None);
        assert_eq!(read(host.sysfs(), vf.address).unwrap(), None);
    }
}

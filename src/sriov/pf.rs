//! `Pf`: a physical function and its VFs, by index and address.

use std::collections::BTreeSet;

use crate::kernel::{Sysfs, SysfsError};
use crate::pci::function::{self, Role};
use crate::types::{DriverName, PciAddr};

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

    /// Its driver, which is likely to know its VFs.
    pub fn driver(&self, sysfs: &Sysfs) -> Option<DriverName> {
        let name = function::driver(sysfs, self.address).ok()??;
        name.parse().ok()
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
    Ok(Some(Pf {
        address,
        total_vfs,
        vfs: vfs(sysfs, address)?,
    }))
}

/// With more VFs than these, each link is not followed.
const FEW: usize = 8;

fn vfs(sysfs: &Sysfs, pf: PciAddr) -> Result<Vec<Vf>, SysfsError> {
    let folder = function::folder(pf);
    let mut names = sysfs.list_if_there(&folder)?;
    names.retain(|name| index(name).is_some());
    if names.len() > FEW
        && let Some(vfs) = reckoned(sysfs, pf, &names)
    {
        return Ok(vfs);
    }
    let links = match sysfs.follow(&folder, names) {
        Err(error) if error.is_absent() => Vec::new(),
        other => other?,
    };
    let mut vfs = Vec::new();
    for (name, target) in links {
        if let (Some(index), Ok(address)) = (index(&name), target.parse()) {
            vfs.push(Vf { index, address });
        }
    }
    vfs.sort();
    Ok(vfs)
}

fn index(link: &str) -> Option<u16> {
    link.strip_prefix(VIRTFN)?.parse().ok()
}

/// The VFs of these links, as the kernel reckons their addresses (`pci_iov_virtfn_bus`, drivers/pci/iov.c) from what
/// it has shown since Linux 4.16; `None` where the last link says otherwise.
fn reckoned(sysfs: &Sysfs, pf: PciAddr, names: &[String]) -> Option<Vec<Vf>> {
    let folder = function::folder(pf);
    let number = |file: &str| sysfs.read(folder.join(file)).ok()?.parse::<u16>().ok();
    let (offset, stride) = (number("sriov_offset")?, number("sriov_stride")?);
    let vfs = names.iter().map(|name| {
        let index = index(name)?;
        let address = pf.virtual_function(offset, stride, index)?;
        Some(Vf { index, address })
    });
    let mut vfs = vfs.collect::<Option<Vec<Vf>>>()?;
    vfs.sort();
    let last = vfs.last()?;
    let target = sysfs.link_name(folder.join(format!("{VIRTFN}{}", last.index)));
    (target.ok()? == last.address.to_string()).then_some(vfs)
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
    let of_one = |pf: &Pf| -> BTreeSet<PciAddr> {
        let vfs = pf.vfs.iter().map(|vf| vf.address);
        vfs.chain([pf.address]).collect()
    };
    let known = except.map(of_one).unwrap_or_default();
    let mut pfs = Vec::new();
    for address in function::addresses(sysfs)? {
        // Most functions are VFs, which lack this file.
        let may_be = || sysfs.exists(function::folder(address).join("sriov_totalvfs"));
        if !known.contains(&address) && may_be() {
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
    fn addresses_of_many_are_reckoned() {
        let vfs = |last: &str| {
            let folder = "sys/bus/pci/devices/0000:01:00.0";
            let mut machine = Machine::new()
                .file(&format!("{folder}/sriov_totalvfs"), "64\n")
                .file(&format!("{folder}/sriov_offset"), "128\n")
                .file(&format!("{folder}/sriov_stride"), "2\n");
            for index in 0..11 {
                machine = machine.link(&format!("{folder}/virtfn{index}"), "../0000:01:1f.7");
            }
            let machine = machine.link(&format!("{folder}/virtfn11"), last);
            let pf = read(machine.host().sysfs(), "0000:01:00.0".parse().unwrap());
            pf.unwrap().unwrap().vfs
        };
        let right = vfs("../0000:01:12.6");
        assert_eq!(right.len(), 12);
        assert_eq!(
            (right[3].index, right[3].address.to_string()),
            (3, "0000:01:10.6".to_owned())
        );
        // Where that does not fit, the links are believed.
        let wrong = vfs("../0000:02:00.0");
        assert_eq!(wrong.len(), 12);
        assert_eq!(wrong[3].address.to_string(), "0000:01:1f.7");
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

//! `Function`: one PCI function, what it is to SR-IOV, and what hangs on it.

use std::path::PathBuf;

use nix::errno::Errno;

use crate::kernel::{Sysfs, SysfsError};
use crate::types::{IfName, PciAddr};

/// What a function is to SR-IOV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A physical function that can have this many VFs; 0 when its firmware offers none.
    Pf {
        /// `sriov_totalvfs`.
        total_vfs: u16,
    },
    /// A virtual function of this physical one.
    Vf {
        /// Where `physfn` points.
        pf: PciAddr,
    },
    /// Neither.
    Plain,
}

/// A function, as sysfs describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its address.
    pub address: PciAddr,
    /// What it is to SR-IOV.
    pub role: Role,
    /// The driver bound to it.
    pub driver: Option<String>,
    /// PCI vendor.
    pub vendor: Option<u16>,
    /// PCI device, of that vendor.
    pub device: Option<u16>,
    /// The NUMA node it is near to; `None` where the platform does not say (-1 in sysfs).
    pub numa_node: Option<u32>,
}

/// The folder of a function, relative to the root of sysfs.
pub fn folder(address: PciAddr) -> PathBuf {
    format!("bus/pci/devices/{address}").into()
}

/// The function with this address, if there is one.
///
/// # Errors
/// [`SysfsError`]; an attribute that a platform lacks is absent, not an error.
pub fn read(sysfs: &Sysfs, address: PciAddr) -> Result<Option<Function>, SysfsError> {
    let folder = folder(address);
    if !sysfs.exists(&folder) {
        return Ok(None);
    }
    let hex = |name: &str| {
        let text = sysfs.read(folder.join(name)).ok()?;
        u16::from_str_radix(text.strip_prefix("0x")?, 16).ok()
    };
    let numa = sysfs.read(folder.join("numa_node")).ok();
    Ok(Some(Function {
        address,
        role: role(sysfs, address)?,
        driver: driver(sysfs, address)?,
        vendor: hex("vendor"),
        device: hex("device"),
        numa_node: numa.and_then(|node| node.parse().ok()),
    }))
}

/// The driver bound to a function; one that is not there has none.
///
/// # Errors
/// [`SysfsError`].
pub fn driver(sysfs: &Sysfs, address: PciAddr) -> Result<Option<String>, SysfsError> {
    if_there(sysfs.link_name(folder(address).join("driver")))
}

/// What a function is to SR-IOV; one that is not there is [`Role::Plain`].
///
/// # Errors
/// [`SysfsError`]; EILSEQ when `physfn` or `sriov_totalvfs` is not what the kernel writes.
pub fn role(sysfs: &Sysfs, address: PciAddr) -> Result<Role, SysfsError> {
    let folder = folder(address);
    let physfn = folder.join("physfn");
    if let Some(pf) = if_there(sysfs.link_name(&physfn))? {
        let pf = pf.parse().map_err(|_| garbled("follow", physfn))?;
        return Ok(Role::Vf { pf });
    }
    // Unlike sriov_numvfs this is read without the lock of the device (drivers/pci/iov.c).
    let total = folder.join("sriov_totalvfs");
    match if_there(sysfs.read(&total))? {
        Some(number) => {
            let total_vfs = number.parse().map_err(|_| garbled("read", total))?;
            Ok(Role::Pf { total_vfs })
        }
        None => Ok(Role::Plain),
    }
}

/// Every function, by address.
///
/// # Errors
/// [`SysfsError`]; a machine without PCI has none.
pub fn addresses(sysfs: &Sysfs) -> Result<Vec<PciAddr>, SysfsError> {
    let names = sysfs.list_if_there("bus/pci/devices")?;
    let mut found: Vec<PciAddr> = names.iter().filter_map(|name| name.parse().ok()).collect();
    found.sort();
    Ok(found)
}

/// The network interfaces of a function, in the namespace that `sysfs` belongs to.
///
/// # Errors
/// [`SysfsError`]; a function that is not there has none.
pub fn netdevs(sysfs: &Sysfs, address: PciAddr) -> Result<Vec<IfName>, SysfsError> {
    let names = sysfs.list_if_there(folder(address).join("net"))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// The function that a member of a class (`net`, `infiniband`) sits on; `None` when there is no
/// such member, or it sits on something that is no PCI function.
///
/// # Errors
/// [`SysfsError`].
pub fn of_member(sysfs: &Sysfs, class: &str, name: &str) -> Result<Option<PciAddr>, SysfsError> {
    // A name with a slash would be a path; no member of a class has one.
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Ok(None);
    }
    let device = if_there(sysfs.link_name(format!("class/{class}/{name}/device")))?;
    Ok(device.and_then(|device| device.parse().ok()))
}

pub(super) fn if_there<T>(read: Result<T, SysfsError>) -> Result<Option<T>, SysfsError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

fn garbled(verb: &'static str, path: PathBuf) -> SysfsError {
    let errno = Errno::EILSEQ;
    SysfsError { verb, path, errno }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    const PF: &str = "sys/devices/pci0/0000:01:00.0";
    const VF: &str = "sys/devices/pci0/0000:01:10.0";

    fn machine() -> Machine {
        Machine::new()
            .file(&format!("{PF}/sriov_totalvfs"), "7\n")
            .file(&format!("{PF}/vendor"), "0x15b3\n")
            .file(&format!("{PF}/device"), "0x101b\n")
            .file(&format!("{PF}/numa_node"), "1\n")
            .file(&format!("{PF}/net/ib0/type"), "32\n")
            .link(&format!("{PF}/net/ib0/device"), "../../../0000:01:00.0")
            .link(
                &format!("{PF}/driver"),
                "../../../bus/pci/drivers/mlx5_core",
            )
            .link(
                "sys/class/net/ib0",
                "../../devices/pci0/0000:01:00.0/net/ib0",
            )
            .link(
                "sys/bus/pci/devices/0000:01:00.0",
                "../../../devices/pci0/0000:01:00.0",
            )
            .link(&format!("{VF}/physfn"), "../0000:01:00.0")
            .file(&format!("{VF}/numa_node"), "-1\n")
            .link(
                "sys/bus/pci/devices/0000:01:10.0",
                "../../../devices/pci0/0000:01:10.0",
            )
    }

    #[test]
    fn what_a_function_is() {
        let machine = machine();
        let host = machine.host();
        let sysfs = host.sysfs();
        let (pf, vf) = (
            "0000:01:00.0".parse().unwrap(),
            "0000:01:10.0".parse().unwrap(),
        );
        let read_pf = read(sysfs, pf).unwrap().unwrap();
        assert_eq!(read_pf.role, Role::Pf { total_vfs: 7 });
        assert_eq!(read_pf.driver.as_deref(), Some("mlx5_core"));
        assert_eq!(
            (read_pf.vendor, read_pf.device),
            (Some(0x15b3), Some(0x101b))
        );
        assert_eq!(read_pf.numa_node, Some(1));
        let read_vf = read(sysfs, vf).unwrap().unwrap();
        assert_eq!(read_vf.role, Role::Vf { pf });
        assert_eq!((read_vf.driver, read_vf.numa_node), (None, None));
        assert_eq!(addresses(sysfs).unwrap(), [pf, vf]);
        assert_eq!(netdevs(sysfs, pf).unwrap()[0].as_str(), "ib0");
        assert!(netdevs(sysfs, vf).unwrap().is_empty());
        assert_eq!(of_member(sysfs, "net", "ib0").unwrap(), Some(pf));
        assert_eq!(read(sysfs, "0000:02:00.0".parse().unwrap()).unwrap(), None);
    }

    #[test]
    fn hostile_text_and_names() {
        let machine = machine()
            .file("sys/devices/pci0/0000:03:00.0/sriov_totalvfs", "seven")
            .link(
                "sys/bus/pci/devices/0000:03:00.0",
                "../../../devices/pci0/0000:03:00.0",
            )
            .file("sys/bus/pci/devices/garbage/x", "");
        let host = machine.host();
        let sysfs = host.sysfs();
        let odd = role(sysfs, "0000:03:00.0".parse().unwrap()).unwrap_err();
        assert_eq!(odd.errno, Errno::EILSEQ);
        assert_eq!(addresses(sysfs).unwrap().len(), 3);
        for name in ["", ".", "..", "../net/ib0", "ib0/device", "nope"] {
            assert_eq!(of_member(sysfs, "net", name).unwrap(), None, "{name}");
        }
    }
}

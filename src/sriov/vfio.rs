//! Functions that a process has open through VFIO, themselves or the group that they are in.

use std::collections::BTreeMap;

use crate::kernel::namespace::Process;
use crate::kernel::open_files::{CharDevice, holders};
use crate::kernel::{FileError, Host, Sysfs};
use crate::pci::function::folder;
use crate::types::{DriverName, PciAddr};

/// A process that has a function: a guest, DPDK, or whoever starts these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The file, as the kernel names it: `/dev/vfio/12`.
    pub file: String,
    /// The process.
    pub process: Process,
}

/// Whether a driver hands functions to processes by VFIO.
pub fn hands_out(driver: Option<&str>) -> bool {
    driver.is_some_and(|driver| driver.parse().is_ok_and(|name: DriverName| name.is_vfio()))
}

/// Who has these functions open, and how many processes could not be looked at: one pass over the
/// open files of all processes, and none where there are no such functions.
///
/// # Errors
/// [`FileError`] when `/proc` cannot be listed.
pub fn guests(
    host: &Host,
    functions: impl IntoIterator<Item = PciAddr>,
) -> Result<(BTreeMap<PciAddr, Vec<Guest>>, usize), FileError> {
    let mut files: BTreeMap<CharDevice, Vec<(PciAddr, String)>> = BTreeMap::new();
    for address in functions {
        for (device, file) in of_function(host.sysfs(), address) {
            files.entry(device).or_default().push((address, file));
        }
    }
    let (found, hidden) = holders(host, &files.keys().copied().collect())?;
    let mut guests: BTreeMap<PciAddr, Vec<Guest>> = BTreeMap::new();
    for (device, processes) in &found {
        for (address, file) in files.get(device).into_iter().flatten() {
            let of_function = guests.entry(*address).or_default();
            of_function.extend(processes.iter().map(|process| Guest {
                file: file.clone(),
                process: process.clone(),
            }));
        }
    }
    Ok((guests, hidden))
}

/// The character devices that open a function: its group's, with an IOMMU or without, and its own
/// where the kernel has those (6.6, `CONFIG_VFIO_DEVICE_CDEV`).
fn of_function(sysfs: &Sysfs, address: PciAddr) -> Vec<(CharDevice, String)> {
    let folder = folder(address);
    let number = |place: String| {
        let text = sysfs.read(format!("{place}/dev")).ok()?;
        CharDevice::parse(&text)
    };
    let mut found = Vec::new();
    if let Ok(group) = sysfs.link_name(folder.join("iommu_group")) {
        for name in [group.clone(), format!("noiommu-{group}")] {
            let device = number(format!("class/vfio/{name}"));
            found.extend(device.map(|device| (device, format!("/dev/vfio/{name}"))));
        }
    }
    let own = sysfs.list_if_there(folder.join("vfio-dev"));
    for name in own.unwrap_or_default() {
        let device = number(format!("class/vfio-dev/{name}"));
        found.extend(device.map(|device| (device, format!("/dev/vfio/devices/{name}"))));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn a_group_is_open_for_all_that_are_in_it() {
        let (first, second): (PciAddr, PciAddr) = (
            "0000:01:10.0".parse().unwrap(),
            "0000:01:10.2".parse().unwrap(),
        );
        let mut machine = Machine::new()
            .process(812, "net:[1]", "qemu", "0::/")
            .link("proc/812/fd/7", "/dev/null")
            // The number of /dev/null, as the group's.
            .file("sys/class/vfio/12/dev", "1:3\n");
        for address in [first, second] {
            machine = machine.link(
                &format!("sys/bus/pci/devices/{address}/iommu_group"),
                "../../../kernel/iommu_groups/12",
            );
        }
        let (found, hidden) = guests(&machine.host(), [first, second]).unwrap();
        assert_eq!((found.len(), hidden), (2, 0));
        let [guest] = &found[&second][..] else {
            panic!("{found:?}")
        };
        assert_eq!(
            (guest.file.as_str(), guest.process.pid),
            ("/dev/vfio/12", 812)
        );
        assert!(guests(&machine.host(), []).unwrap().0.is_empty());
        assert!(hands_out(Some("vfio-pci")) && !hands_out(Some("mlx5_core")) && !hands_out(None));
    }
}

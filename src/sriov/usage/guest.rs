//! VFs that a process has open through VFIO, itself or the group that they are in.

use std::collections::BTreeMap;

use super::{How, UsageError, Use};
use crate::kernel::open_files::{CharDevice, holders};
use crate::kernel::{Host, Sysfs};
use crate::pci::function::folder;
use crate::sriov::held::Held;
use crate::types::DriverName;

/// The uses, and how many processes could not be looked at.
pub(super) fn look(host: &Host, held: &[Held]) -> Result<(Vec<Use>, usize), UsageError> {
    let sysfs = host.sysfs();
    let mut files: BTreeMap<CharDevice, Vec<(&Held, String)>> = BTreeMap::new();
    for each in held.iter().filter(|each| is_vfio(each)) {
        for (device, file) in of_function(sysfs, each) {
            files.entry(device).or_default().push((each, file));
        }
    }
    let (found, hidden) = holders(host, &files.keys().copied().collect())?;
    let mut uses = Vec::new();
    for (device, processes) in &found {
        for (each, file) in files.get(device).into_iter().flatten() {
            uses.extend(processes.iter().map(|process| Use {
                vf: each.vf,
                how: How::Guest {
                    file: file.clone(),
                    process: process.clone(),
                },
            }));
        }
    }
    Ok((uses, hidden))
}

fn is_vfio(held: &Held) -> bool {
    let driver = held.driver.as_ref();
    driver.is_some_and(|driver| driver.parse().is_ok_and(|name: DriverName| name.is_vfio()))
}

/// The character devices that open a function: its group's, with an IOMMU or without, and its own
/// where the kernel has those (6.6, `CONFIG_VFIO_DEVICE_CDEV`).
fn of_function(sysfs: &Sysfs, held: &Held) -> Vec<(CharDevice, String)> {
    let folder = folder(held.vf.address);
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

//! What sits on a PCI function or an auxiliary device: its driver and its RDMA devices.

use std::path::PathBuf;

use crate::kernel::{Sysfs, SysfsError};
use crate::types::{DeviceId, PciAddr};

/// How far a device is from being usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// There is no such device.
    Absent,
    /// No driver is bound to it.
    Unbound,
    /// This driver is bound to it.
    Bound(String),
}

/// The folder of a device, relative to the root of sysfs.
pub fn folder(id: &DeviceId) -> PathBuf {
    match id {
        DeviceId::Pci(address) => format!("bus/pci/devices/{address}").into(),
        DeviceId::Auxiliary(name) => format!("bus/auxiliary/devices/{name}").into(),
    }
}

/// The names of the RDMA devices of a device, sorted, in the namespace that `sysfs` belongs to.
///
/// # Errors
/// [`SysfsError`]; a device that is not there has none.
pub fn rdma_names(sysfs: &Sysfs, id: &DeviceId) -> Result<Vec<String>, SysfsError> {
    sysfs.list_if_there(folder(id).join("infiniband"))
}

/// Whether a device is there, and its driver.
///
/// # Errors
/// [`SysfsError`].
pub fn presence(sysfs: &Sysfs, id: &DeviceId) -> Result<Presence, SysfsError> {
    match sysfs.links_in(folder(id), ["driver"]) {
        Ok([Some(driver)]) => Ok(Presence::Bound(driver)),
        Ok([None]) => Ok(Presence::Unbound),
        Err(error) if error.is_absent() => Ok(Presence::Absent),
        Err(error) => Err(error),
    }
}

/// The PCI function of the VF with this index on the PF behind a network interface.
///
/// # Errors
/// [`SysfsError`] when there is no such VF.
pub fn vf_of_netdev(sysfs: &Sysfs, netdev: &str, index: u32) -> Result<PciAddr, SysfsError> {
    let link = format!("class/net/{netdev}/device/virtfn{index}");
    let name = sysfs.link_name(&link)?;
    name.parse().map_err(|_| SysfsError {
        verb: "follow",
        path: link.into(),
        errno: nix::errno::Errno::EILSEQ,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn functions_and_auxiliary_devices() {
        let machine = Machine::new()
            .file("sys/devices/pci0/0000:01:10.2/infiniband/mlx5_2/x", "")
            .link(
                "sys/devices/pci0/0000:01:10.2/driver",
                "../../../bus/pci/drivers/mlx5_core",
            )
            .link(
                "sys/bus/pci/devices/0000:01:10.2",
                "../../../devices/pci0/0000:01:10.2",
            )
            .link("sys/devices/pci0/0000:01:00.0/virtfn1", "../0000:01:10.2")
            .link("sys/devices/pci0/0000:01:00.0/net/ib0/device", "../..")
            .link(
                "sys/class/net/ib0",
                "../../devices/pci0/0000:01:00.0/net/ib0",
            )
            .file(
                "sys/bus/auxiliary/devices/mlx5_core.sf.4/infiniband/mlx5_9/x",
                "",
            );
        let host = machine.host();
        let sysfs = host.sysfs();
        let vf: DeviceId = "0000:01:10.2".parse().unwrap();
        let sf: DeviceId = "mlx5_core.sf.4".parse().unwrap();
        let none: DeviceId = "0000:01:10.3".parse().unwrap();
        assert_eq!(rdma_names(sysfs, &vf).unwrap(), ["mlx5_2"]);
        assert_eq!(rdma_names(sysfs, &sf).unwrap(), ["mlx5_9"]);
        assert!(rdma_names(sysfs, &none).unwrap().is_empty());
        assert_eq!(
            presence(sysfs, &vf).unwrap(),
            Presence::Bound("mlx5_core".to_owned())
        );
        assert_eq!(presence(sysfs, &sf).unwrap(), Presence::Unbound);
        assert_eq!(presence(sysfs, &none).unwrap(), Presence::Absent);
        let found = vf_of_netdev(sysfs, "ib0", 1).unwrap();
        assert_eq!(DeviceId::Pci(found), vf);
        assert!(vf_of_netdev(sysfs, "ib0", 2).unwrap_err().is_absent());
    }
}

//! The host as the home of RDMA devices: those of a function that are there, and their names.

use super::error::AttachError;
use crate::kernel::{Conn, Host};
use crate::pci::device::rdma_names;
use crate::rdma::lease::give_back::{self, Name};
use crate::rdma::{RdmaError, numbered};
use crate::types::{DeviceId, PciAddr};
use crate::wire::nldev::device::Device;

/// The connection to the RDMA subsystem at home.
///
/// # Errors
/// [`AttachError::Rdma`].
pub fn conn(host: &Host) -> Result<Conn, AttachError> {
    host.rdma().map_err(|error| RdmaError::from(error).into())
}

/// The RDMA devices of a function at home, by index: one, or more.
///
/// # Errors
/// [`AttachError::RdmaDevices`] when there is none.
pub fn devices(
    host: &Host,
    home: &mut Conn,
    function: PciAddr,
) -> Result<Vec<Device>, AttachError> {
    let names = rdma_names(host.sysfs(), &DeviceId::Pci(function))?;
    let mut devices = numbered::shown(host, home, &names)?;
    devices.sort_by_key(|device| device.index);
    if devices.is_empty() {
        return Err(AttachError::RdmaDevices { function, names });
    }
    Ok(devices)
}

/// Gives the devices of a function the names that their record has, in their order, after its
/// driver was bound anew: the kernel gives the lowest free ones, which may be another pod's. Those
/// that are there are returned as they are then called; `None` when one did not get its name.
///
/// # Errors
/// [`AttachError`], taken names apart.
pub fn rename_anew(
    host: &Host,
    home: &mut Conn,
    function: PciAddr,
    names: &[String],
) -> Result<Option<Vec<Device>>, AttachError> {
    // Each may have the name of the other: as many rounds as there are devices.
    for _ in names {
        let mut found = match devices(host, home, function) {
            Ok(devices) => devices,
            Err(AttachError::RdmaDevices { .. }) => return Ok(Some(Vec::new())),
            Err(error) => return Err(error),
        };
        let mut all = true;
        for (device, name) in found.iter_mut().zip(names) {
            match give_back::restore_name(home, device, name)? {
                Name::Restored if name.is_empty() => {}
                Name::Restored => device.name.clone_from(name),
                Name::Kept(_) => all = false,
            }
        }
        if all {
            return Ok(Some(found));
        }
    }
    Ok(names.is_empty().then(Vec::new))
}

//! RDMA devices whose drivers were bound at once: each may have been given the name of another.

use super::error::AttachError;
use super::home;
use super::store::VfStore;
use crate::kernel::{Conn, Host};
use crate::pci::function;
use crate::rdma::lease::naming::spare;
use crate::rdma::{RdmaError, device};
use crate::types::{PciAddr, RdmaName};
use crate::wire::nldev::device::Device;

/// Gives the devices of a function their `names`, in their order, and returns them. The caller has
/// the lock of the node.
///
/// # Errors
/// [`AttachError`], names of devices that are called so for good apart.
pub fn restore(
    host: &Host,
    home: &mut Conn,
    function: PciAddr,
    names: &[String],
) -> Result<Vec<Device>, AttachError> {
    if let Some(devices) = home::rename_anew(host, home, function, names)? {
        return match devices.is_empty() {
            true => home::devices(host, home, function),
            false => Ok(devices),
        };
    }
    let mut left = Vec::new();
    for name in names {
        left.extend(clear(host, home, function, name)?);
    }
    home::rename_anew(host, home, function, names)?;
    for (device, own) in left {
        // What cannot be had now its own bind or the end of its container restores.
        let _ = rename(home, &device, &own);
    }
    home::devices(host, home, function)
}

/// Takes a name from a device of another function that has it only until its own is free: that is
/// on record. The device, and the name that it is to have.
///
/// # Errors
/// [`AttachError`].
pub fn clear(
    host: &Host,
    home: &mut Conn,
    function: PciAddr,
    name: &str,
) -> Result<Option<(Device, String)>, AttachError> {
    let Some(other) = function::of_member(host.sysfs(), "infiniband", name)? else {
        return Ok(None);
    };
    let record = VfStore::new(host).of_this_boot(host, other)?;
    let Some(record) = record.filter(|_| other != function) else {
        return Ok(None);
    };
    let mut devices = home::devices(host, home, other)?;
    devices.retain(|device| device.name == name);
    let mut awaited = record.rdma_devices().map(|rdma| rdma.host_name.clone());
    let (Some(device), Some(own)) = (devices.pop(), awaited.next()) else {
        return Ok(None);
    };
    if own == name || awaited.any(|theirs| theirs == name) {
        return Ok(None);
    }
    let aside = spare(&device);
    rename(home, &device, &aside)?;
    let device = Device {
        name: aside,
        ..device
    };
    Ok(Some((device, own)))
}

fn rename(home: &mut Conn, device: &Device, name: &str) -> Result<(), RdmaError> {
    match name.parse::<RdmaName>() {
        Ok(name) => device::rename(home, device, &name),
        Err(_) => Ok(()),
    }
}

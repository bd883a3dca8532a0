//! The files of a device in `/dev/infiniband`, and those that a container was given.
//!
//! A runtime makes them before its hooks run, and over a move the kernel gives out the lowest free
//! numbers: a file that was the device's may be another one's then, or nobody's.

use super::error::HookError;
use crate::kernel::{Conn, Host, Netns};
use crate::rdma::{RdmaError, char_device};
use crate::types::DeviceId;
use crate::wire::nldev::device::Device;

/// The names of the files of all devices of a function, at home.
///
/// # Errors
/// [`RdmaError::Netlink`] when the kernel cannot be asked.
pub fn of(host: &Host, conn: &mut Conn, devices: &[Device]) -> Result<Vec<String>, RdmaError> {
    let mut names = Vec::new();
    for device in devices {
        names.extend(char_device::names(host.sysfs(), conn, device)?);
    }
    Ok(names)
}

/// As [`of`], for devices that are in `netns`.
///
/// # Errors
/// [`HookError`] when it cannot be entered or asked.
pub fn inside(host: &Host, netns: &Netns, devices: &[Device]) -> Result<Vec<String>, HookError> {
    let names = netns.within(|| -> Result<Vec<String>, RdmaError> {
        let mut conn = host.rdma()?;
        of(host, &mut conn, devices)
    });
    Ok(names??)
}

/// Refuses when the container was given others than the device has; one that was given none has
/// not been told of by whoever calls the hook.
///
/// # Errors
/// [`HookError::Nodes`].
pub fn require_same(id: &DeviceId, given: &[String], has: &[String]) -> Result<(), HookError> {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names.dedup();
        names
    };
    if given.is_empty() || sorted(given) == sorted(has) {
        return Ok(());
    }
    Err(HookError::Nodes {
        id: id.clone(),
        given: given.to_vec(),
        has: has.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_in_any_order() {
        let id: DeviceId = "0000:01:10.2".parse().unwrap();
        let names = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let has = names("uverbs2 umad2");
        assert!(require_same(&id, &names("umad2 uverbs2"), &has).is_ok());
        assert!(require_same(&id, &[], &has).is_ok());
        let error = require_same(&id, &names("uverbs2"), &has).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the character devices of 0000:01:10.2 are uverbs2 umad2, and the container was given uverbs2"
        );
    }
}

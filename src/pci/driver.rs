//! Binding a function to a driver and taking it away, each outcome checked by the `driver` link.

use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;

use super::admission::Admission;
use super::driver_error::{DriverError, is_permission};
use super::function::{self, folder};
use crate::kernel::bounded::{self, BoundedError};
use crate::kernel::{Host, Sysfs};
use crate::types::{DriverName, PciAddr};

/// The driver that has a function.
///
/// # Errors
/// [`DriverError::Gone`], [`DriverError::Sysfs`].
pub fn bound(sysfs: &Sysfs, address: PciAddr) -> Result<Option<String>, DriverError> {
    let folder = folder(address);
    let driver = function::if_there(sysfs.link_name(folder.join("driver")))?;
    if driver.is_none() && !sysfs.exists(&folder) {
        return Err(DriverError::Gone { address });
    }
    Ok(driver)
}

/// The folder of a driver, relative to the root of sysfs.
///
/// # Errors
/// [`DriverError::NoSuchDriver`].
pub fn place(sysfs: &Sysfs, driver: &DriverName) -> Result<PathBuf, DriverError> {
    let place = PathBuf::from(format!("bus/pci/drivers/{driver}"));
    if sysfs.exists(&place) {
        return Ok(place);
    }
    let driver = driver.clone();
    Err(DriverError::NoSuchDriver { driver })
}

/// Binds a function that has no driver to this one; a function that it has already is done.
///
/// A PF that keeps drivers from its VFs (`sriov_drivers_autoprobe` 0) keeps this one away too
/// (`pci_device_can_probe`): it is told otherwise meanwhile. A driver that lists no devices, such
/// as `vfio-pci`, is named in `driver_override` meanwhile. Nothing of that stays.
///
/// # Errors
/// [`DriverError`]; `limit` is for each write.
pub fn bind(
    host: &Host,
    address: PciAddr,
    driver: &DriverName,
    limit: Duration,
) -> Result<(), DriverError> {
    let sysfs = host.sysfs();
    match bound(sysfs, address)? {
        Some(now) if now == driver.as_str() => return Ok(()),
        Some(driver) => return Err(DriverError::Taken { address, driver }),
        None => {}
    }
    let place = place(sysfs, driver)?;
    let admission = Admission::of(host, address, Some(driver), limit)?;
    let file = place.join("bind");
    let written = bounded::write(sysfs, file, &address.to_string(), limit);
    drop(admission);
    let errno = match written {
        Ok(()) => None,
        Err(error) => match error.errno() {
            Some(errno) if !is_permission(errno) => Some(errno),
            _ => return Err(error.into()),
        },
    };
    let name = driver.to_string();
    match (bound(sysfs, address)?, errno) {
        (Some(now), _) if now == name => Ok(()),
        // Somebody else was faster (EBUSY).
        (Some(driver), _) => Err(DriverError::Taken { address, driver }),
        (None, Some(Errno::ENODEV)) => Err(DriverError::NotForIt {
            address,
            driver: driver.clone(),
        }),
        (None, Some(Errno::EAGAIN)) => Err(DriverError::PutOff {
            address,
            driver: name,
        }),
        (None, errno) => Err(DriverError::Failed {
            address,
            driver: name,
            errno,
        }),
    }
}

/// Has the kernel find the driver of a function that has none; one that has a driver is done.
/// A `driver_override` that somebody left is cleared first.
///
/// The kernel does not say why no driver took it: where `likely` is given, that driver is asked.
///
/// # Errors
/// [`DriverError`]; `limit` is for each write.
pub fn probe(
    host: &Host,
    address: PciAddr,
    likely: Option<&DriverName>,
    limit: Duration,
) -> Result<(), DriverError> {
    let sysfs = host.sysfs();
    if bound(sysfs, address)?.is_some() {
        return Ok(());
    }
    let admission = Admission::of(host, address, None, limit)?;
    let file = "bus/pci/drivers_probe";
    // Whatever it answers, the link tells: up to 7.3 it does not pass a driver's refusal on.
    match bounded::write(sysfs, file, &address.to_string(), limit) {
        Err(BoundedError::Refused(error)) if !is_permission(error.errno) => {}
        other => other?,
    }
    drop(admission);
    if bound(sysfs, address)?.is_some() {
        return Ok(());
    }
    let none = DriverError::NoneTook { address };
    let Some(likely) = likely else {
        return Err(none);
    };
    match bind(host, address, likely, limit) {
        Err(DriverError::NotForIt { .. } | DriverError::NoSuchDriver { .. }) => Err(none),
        other => other,
    }
}

/// Takes its driver from a function, and says which it was; a function without one is done.
///
/// # Errors
/// [`DriverError::Kept`] and others.
pub fn unbind(
    host: &Host,
    address: PciAddr,
    limit: Duration,
) -> Result<Option<String>, DriverError> {
    let sysfs = host.sysfs();
    let Some(driver) = bound(sysfs, address)? else {
        return Ok(None);
    };
    // By its name: the function's own `driver` link may lead to another one by now.
    let file = format!("bus/pci/drivers/{driver}/unbind");
    match bounded::write(sysfs, file, &address.to_string(), limit) {
        Ok(()) => {}
        // ENODEV: somebody else was faster, or it is no longer this driver's.
        Err(error) if error.errno() == Some(Errno::ENODEV) => {}
        Err(error) => return Err(error.into()),
    }
    match bound(sysfs, address)? {
        Some(still) if still == driver => Err(DriverError::Kept { address, driver }),
        Some(driver) => Err(DriverError::Taken { address, driver }),
        None => Ok(Some(driver)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    const LIMIT: Duration = Duration::from_secs(5);

    /// A machine whose files take every write; links stay as they are.
    fn machine(driver: Option<&str>) -> Machine {
        let machine = Machine::new()
            .file("sys/bus/pci/drivers_probe", "")
            .file("sys/bus/pci/drivers/mlx5_core/bind", "")
            .file("sys/bus/pci/drivers/mlx5_core/unbind", "")
            .file("sys/bus/pci/drivers/vfio-pci/bind", "")
            .file("sys/devices/0000:01:10.0/driver_override", "(null)\n")
            .file("sys/devices/0000:01:00.0/sriov_drivers_autoprobe", "1\n")
            .link("sys/devices/0000:01:10.0/physfn", "../0000:01:00.0")
            .link(
                "sys/bus/pci/devices/0000:01:10.0",
                "../../../devices/0000:01:10.0",
            )
            .link(
                "sys/bus/pci/devices/0000:01:00.0",
                "../../../devices/0000:01:00.0",
            );
        match driver {
            None => machine,
            Some(driver) => machine.link(
                "sys/devices/0000:01:10.0/driver",
                &format!("../../bus/pci/drivers/{driver}"),
            ),
        }
    }

    fn vf() -> PciAddr {
        "0000:01:10.0".parse().unwrap()
    }

    fn name(word: &str) -> DriverName {
        word.parse().unwrap()
    }

    #[test]
    fn done_already_taken_or_absent() {
        let machine = machine(Some("mlx5_core"));
        let host = machine.host();
        bind(&host, vf(), &name("mlx5_core"), LIMIT).unwrap();
        probe(&host, vf(), None, LIMIT).unwrap();
        assert_eq!(machine.read("sys/bus/pci/drivers/mlx5_core/bind"), "");
        let error = bind(&host, vf(), &name("vfio-pci"), LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "0000:01:10.0 is bound to mlx5_core");
        // The write is accepted and the link stays.
        let error = unbind(&host, vf(), LIMIT).unwrap_err();
        assert!(matches!(error, DriverError::Kept { .. }), "{error}");
        assert_eq!(
            machine.read("sys/bus/pci/drivers/mlx5_core/unbind"),
            "0000:01:10.0"
        );
        let none = "0000:09:00.0".parse().unwrap();
        let error = unbind(&host, none, LIMIT).unwrap_err();
        assert!(matches!(error, DriverError::Gone { .. }), "{error}");
    }

    #[test]
    fn a_swallowed_refusal_is_one() {
        let machine = machine(None);
        let host = machine.host();
        assert_eq!(unbind(&host, vf(), LIMIT).unwrap(), None);
        let error = bind(&host, vf(), &name("mlx5_core"), LIMIT).unwrap_err();
        assert!(
            matches!(error, DriverError::Failed { errno: None, .. }),
            "{error}"
        );
        let error = probe(&host, vf(), Some(&name("nvme")), LIMIT).unwrap_err();
        assert!(matches!(error, DriverError::NoneTook { .. }), "{error}");
        assert_eq!(machine.read("sys/bus/pci/drivers_probe"), "0000:01:10.0");
        let error = probe(&host, vf(), Some(&name("mlx5_core")), LIMIT).unwrap_err();
        assert!(matches!(error, DriverError::Failed { .. }), "{error}");
        let error = bind(&host, vf(), &name("nvme"), LIMIT).unwrap_err();
        assert!(matches!(error, DriverError::NoSuchDriver { .. }), "{error}");
    }
}

//! Binding a function to a driver and taking it away, each outcome checked by the `driver` link.

use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;

use super::admission::Admission;
use super::driver_error::{DriverError, is_permission};
use super::function::folder;
use crate::kernel::bounded::{self, BoundedError};
use crate::kernel::{Host, Sysfs};
use crate::types::{DriverName, PciAddr};

/// The driver that has a function.
///
/// # Errors
/// [`DriverError::Gone`], [`DriverError::Sysfs`].
pub fn bound(sysfs: &Sysfs, address: PciAddr) -> Result<Option<String>, DriverError> {
    match sysfs.links_in(folder(address), ["driver"]) {
        Ok([driver]) => Ok(driver),
        Err(error) if error.is_absent() => Err(DriverError::Gone { address }),
        Err(error) => Err(error.into()),
    }
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

/// A VF without a driver that is about to be offered to this one, or to whichever knows it.
///
/// A PF that keeps drivers from its VFs (`sriov_drivers_autoprobe` 0) keeps this one away too
/// (`pci_device_can_probe`): it is told otherwise meanwhile. A driver that lists no devices, such
/// as `vfio-pci`, is named in `driver_override` meanwhile. Nothing of that stays. A
/// `driver_override` that somebody left is cleared first.
pub struct Offer<'a> {
    whose: Whose<'a>,
    file: PathBuf,
    admission: Admission<'a>,
}

/// Of which VF and driver an offer is.
#[derive(Clone, Copy)]
struct Whose<'a> {
    host: &'a Host,
    address: PciAddr,
    pf: PciAddr,
    driver: Option<&'a DriverName>,
    /// For each write.
    limit: Duration,
}

impl<'a> Offer<'a> {
    /// Lets the driver have the function, and asks nobody yet.
    ///
    /// # Errors
    /// [`DriverError`]; `limit` is for each write.
    pub fn of(
        host: &'a Host,
        address: PciAddr,
        pf: PciAddr,
        driver: Option<&'a DriverName>,
        limit: Duration,
    ) -> Result<Self, DriverError> {
        let file = match driver {
            Some(driver) => place(host.sysfs(), driver)?.join("bind"),
            None => "bus/pci/drivers_probe".into(),
        };
        let whose = Whose {
            host,
            address,
            pf,
            driver,
            limit,
        };
        Ok(Self {
            whose,
            file,
            admission: Admission::of(host, address, pf, driver, limit)?,
        })
    }

    /// Has the kernel ask the driver, which takes as long as that takes to start.
    pub fn make(self) -> Offered<'a> {
        let whose = self.whose;
        let value = whose.address.to_string();
        let written = bounded::write(whose.host.sysfs(), &self.file, &value, whose.limit);
        drop(self.admission);
        Offered { whose, written }
    }
}

/// A function that was offered, and what the kernel said.
#[must_use = "what the kernel says is not the whole of it"]
pub struct Offered<'a> {
    whose: Whose<'a>,
    written: Result<(), BoundedError>,
}

impl Offered<'_> {
    /// Whether a driver has it now.
    ///
    /// The kernel does not say why no driver took it: the one that is `likely` to know it is asked.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn judged(self, likely: impl FnOnce() -> Option<DriverName>) -> Result<(), DriverError> {
        let Whose {
            host,
            address,
            pf,
            driver,
            limit,
        } = self.whose;
        let errno = match self.written {
            Ok(()) => None,
            Err(error) => match error.errno() {
                Some(errno) if !is_permission(errno) => Some(errno),
                _ => return Err(error.into()),
            },
        };
        let now = bound(host.sysfs(), address)?;
        if let Some(driver) = driver {
            return judged(address, driver, now, errno);
        }
        // Whatever it answers, the link tells: up to 7.3 it does not pass a driver's refusal on.
        if now.is_some() {
            return Ok(());
        }
        let none = DriverError::NoneTook { address };
        let Some(likely) = likely() else {
            return Err(none);
        };
        match bind(host, address, pf, &likely, limit) {
            Err(DriverError::NotForIt { .. } | DriverError::NoSuchDriver { .. }) => Err(none),
            other => other,
        }
    }
}

/// What it means that `now` has a function that `driver` was to have.
fn judged(
    address: PciAddr,
    driver: &DriverName,
    now: Option<String>,
    errno: Option<Errno>,
) -> Result<(), DriverError> {
    match (now, errno) {
        (Some(now), _) if now == driver.as_str() => Ok(()),
        // Somebody else was faster (EBUSY).
        (Some(driver), _) => Err(DriverError::Taken { address, driver }),
        (None, Some(Errno::ENODEV)) => Err(DriverError::NotForIt {
            address,
            driver: driver.clone(),
        }),
        (None, Some(Errno::EAGAIN)) => Err(DriverError::PutOff {
            address,
            driver: driver.to_string(),
        }),
        (None, errno) => Err(DriverError::Failed {
            address,
            driver: driver.to_string(),
            errno,
        }),
    }
}

/// Binds a VF that has no driver to this one; one that it has already is done.
///
/// # Errors
/// [`DriverError`]; `limit` is for each write.
pub fn bind(
    host: &Host,
    address: PciAddr,
    pf: PciAddr,
    driver: &DriverName,
    limit: Duration,
) -> Result<(), DriverError> {
    match bound(host.sysfs(), address)? {
        Some(now) if now == driver.as_str() => return Ok(()),
        Some(driver) => return Err(DriverError::Taken { address, driver }),
        None => {}
    }
    let offer = Offer::of(host, address, pf, Some(driver), limit)?;
    offer.make().judged(|| None)
}

/// Has the kernel find the driver of a VF that has none; to one that has got one meanwhile it does nothing
/// (`bus_rescan_devices_helper`, drivers/base/bus.c).
///
/// # Errors
/// As [`Offered::judged`]; `limit` is for each write.
pub fn probe(
    host: &Host,
    address: PciAddr,
    pf: PciAddr,
    likely: impl FnOnce() -> Option<DriverName>,
    limit: Duration,
) -> Result<(), DriverError> {
    let offer = Offer::of(host, address, pf, None, limit)?;
    offer.make().judged(likely)
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

    fn pf() -> PciAddr {
        "0000:01:00.0".parse().unwrap()
    }

    fn name(word: &str) -> DriverName {
        word.parse().unwrap()
    }

    #[test]
    fn done_already_taken_or_absent() {
        let machine = machine(Some("mlx5_core"));
        let host = machine.host();
        bind(&host, vf(), pf(), &name("mlx5_core"), LIMIT).unwrap();
        probe(&host, vf(), pf(), || None, LIMIT).unwrap();
        assert_eq!(machine.read("sys/bus/pci/drivers/mlx5_core/bind"), "");
        let error = bind(&host, vf(), pf(), &name("vfio-pci"), LIMIT).unwrap_err();
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
        let error = bind(&host, vf(), pf(), &name("mlx5_core"), LIMIT).unwrap_err();
        assert!(
            matches!(error, DriverError::Failed { errno: None, .. }),
            "{error}"
        );
        let error = probe(&host, vf(), pf(), || Some(name("nvme")), LIMIT).unwrap_err();
        assert!(matches!(error, DriverError::NoneTook { .. }), "{error}");
        assert_eq!(machine.read("sys/bus/pci/drivers_probe"), "0000:01:10.0");
        let error = probe(&host, vf(), pf(), || Some(name("mlx5_core")), LIMIT).unwrap_err();
        assert!(matches!(error, DriverError::Failed { .. }), "{error}");
        let error = bind(&host, vf(), pf(), &name("nvme"), LIMIT).unwrap_err();
        assert!(matches!(error, DriverError::NoSuchDriver { .. }), "{error}");
    }
}

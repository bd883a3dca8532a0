//! Binding VFs to drivers: never another function than a VF of the PF that was meant.

use std::time::{Duration, Instant};

use super::pf::{Pf, Vf};
use crate::kernel::{Host, Sysfs, SysfsError, bounded};
use crate::pci::admission::pinned;
use crate::pci::driver::{self, Offer, Offered};
use crate::pci::driver_error::DriverError;
use crate::pci::function::{self, Role};
use crate::types::{DriverName, PciAddr};

/// Why a VF has not the driver it should have, or still has one.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    /// The function is no VF of this PF now.
    #[error("{address} is no VF of {pf}")]
    Stranger {
        /// The function.
        address: PciAddr,
        /// The PF.
        pf: PciAddr,
    },
    /// Somebody gave it to a driver that is not its own, and only a rebind takes that away.
    #[error("{address} is bound to {driver}, which is not its own driver")]
    Lent {
        /// The VF.
        address: PciAddr,
        /// The driver.
        driver: String,
    },
    /// The driver did not take it.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// Its driver was taken away, and the new one did not take it.
    #[error("{cause}")]
    Left {
        /// Why.
        cause: DriverError,
        /// The driver it had.
        before: String,
        /// It has that again.
        back: bool,
    },
    /// sysfs could not be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
}

/// A VF and how long its drivers may take.
pub struct Job<'a> {
    /// The machine.
    pub host: &'a Host,
    /// Its PF.
    pub pf: &'a Pf,
    /// The VF.
    pub vf: Vf,
    /// When it is to be done.
    pub deadline: Instant,
}

impl<'a> Job<'a> {
    /// Binds the VF to a driver, or to the one that knows it; whether anything had to be done.
    ///
    /// # Errors
    /// [`BindingError`].
    pub fn bind(&self, driver: Option<&'a DriverName>) -> Result<bool, BindingError> {
        let Some(offer) = self.offer(driver)? else {
            return Ok(false);
        };
        self.judge(offer.make())?;
        Ok(true)
    }

    /// Makes the VF ready for a driver, or for the one that knows it; `None` when it has it.
    ///
    /// # Errors
    /// [`BindingError`].
    pub fn offer(&self, driver: Option<&'a DriverName>) -> Result<Option<Offer<'a>>, BindingError> {
        let address = self.vf.address;
        match (self.seen()?, driver) {
            (Some(now), Some(driver)) if now == driver.as_str() => Ok(None),
            (Some(driver), Some(_)) => Err(DriverError::Taken { address, driver }.into()),
            (Some(driver), None) if self.is_lent_to(&driver) => {
                Err(BindingError::Lent { address, driver })
            }
            (Some(_), None) => Ok(None),
            (None, _) => Ok(Some(Offer::of(
                self.host,
                address,
                self.pf.address,
                driver,
                self.left(),
            )?)),
        }
    }

    /// Whether the VF has the driver that it was offered to.
    ///
    /// # Errors
    /// [`BindingError`].
    pub fn judge(&self, offered: Offered<'_>) -> Result<(), BindingError> {
        Ok(offered.judged(|| self.pf.driver(self.host.sysfs()))?)
    }

    /// The driver of the VF, which is one of its PF.
    fn seen(&self) -> Result<Option<String>, BindingError> {
        let (address, pf) = (self.vf.address, self.pf.address);
        let folder = function::folder(address);
        let links = self.host.sysfs().links_in(folder, ["physfn", "driver"]);
        let [physfn, driver] = match links {
            Err(error) if error.is_absent() => [None, None],
            other => other?,
        };
        match physfn.and_then(|physfn| physfn.parse().ok()) {
            Some(of) if pf == of => Ok(driver),
            _ => Err(BindingError::Stranger { address, pf }),
        }
    }

    /// A driver that takes whatever it is given, or that somebody named in `driver_override`.
    fn is_lent_to(&self, driver: &str) -> bool {
        let takes_anything = |name: DriverName| name.takes_anything();
        driver.parse().is_ok_and(takes_anything)
            || pinned(self.host.sysfs(), self.vf.address).as_deref() == Some(driver)
    }

    /// Takes its driver from the VF, and says which it was.
    ///
    /// # Errors
    /// [`BindingError`].
    pub fn unbind(&self) -> Result<Option<String>, BindingError> {
        self.check()?;
        Ok(driver::unbind(self.host, self.vf.address, self.left())?)
    }

    /// Takes its driver from the VF and binds it anew. Where the new driver does not take it and
    /// the old one was another, that gets it back.
    ///
    /// # Errors
    /// [`BindingError`].
    pub fn rebind(&self, driver: Option<&DriverName>) -> Result<(), BindingError> {
        if let Some(driver) = driver {
            // Before anything is taken away.
            driver::place(self.host.sysfs(), driver)?;
        }
        // One child for both writes.
        let _kept = bounded::keep(self.host.sysfs());
        let before = self.unbind()?;
        let Err(cause) = self.start(driver) else {
            return Ok(());
        };
        let Some(before) = before else {
            return Err(cause.into());
        };
        let old: Option<DriverName> = before.parse().ok();
        let other = old.filter(|old| driver.is_some_and(|driver| driver != old));
        let back = match (&cause, other) {
            // Whatever waits in the kernel has the lock of the function.
            (DriverError::Write(_), _) | (_, None) => false,
            (_, Some(old)) => driver::bind(
                self.host,
                self.vf.address,
                self.pf.address,
                &old,
                self.left(),
            )
            .is_ok(),
        };
        Err(BindingError::Left {
            cause,
            before,
            back,
        })
    }

    fn start(&self, driver: Option<&DriverName>) -> Result<(), DriverError> {
        let (host, address, pf) = (self.host, self.vf.address, self.pf.address);
        if let Some(driver) = driver {
            return driver::bind(host, address, pf, driver, self.left());
        }
        let likely = || self.pf.driver(host.sysfs());
        driver::probe(host, address, pf, likely, self.left())
    }

    fn check(&self) -> Result<(), BindingError> {
        check(self.host.sysfs(), self.pf.address, self.vf)
    }

    fn left(&self) -> Duration {
        left(self.deadline)
    }
}

/// Makes sure that a VF is one of this PF: the function at its address may be another by now.
///
/// # Errors
/// [`BindingError::Stranger`], [`BindingError::Sysfs`].
pub fn check(sysfs: &Sysfs, pf: PciAddr, vf: Vf) -> Result<(), BindingError> {
    let address = vf.address;
    if function::role(sysfs, address)? == (Role::Vf { pf }) {
        return Ok(());
    }
    Err(BindingError::Stranger { address, pf })
}

/// The time until a deadline, and what a step takes that does not wait: a late one is not stuck.
pub fn left(deadline: Instant) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left.max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    const VF: &str = "sys/bus/pci/devices/0000:01:10.0";

    fn machine(pf: &str) -> Machine {
        Machine::new()
            .link(&format!("{VF}/physfn"), &format!("../{pf}"))
            .link(&format!("{VF}/driver"), "../../drivers/vfio-pci")
            .file(&format!("{VF}/driver_override"), "vfio-pci\n")
            .file("sys/bus/pci/drivers/vfio-pci/unbind", "")
    }

    fn outcome(machine: &Machine, work: impl Fn(&Job<'_>) -> Result<bool, BindingError>) -> String {
        let vf = Vf {
            index: 0,
            address: "0000:01:10.0".parse().unwrap(),
        };
        let pf = Pf {
            address: "0000:01:00.0".parse().unwrap(),
            total_vfs: 7,
            vfs: vec![vf],
        };
        let job = Job {
            host: &machine.host(),
            pf: &pf,
            vf,
            deadline: Instant::now() + Duration::from_secs(5),
        };
        work(&job).map_or_else(|error| error.to_string(), |done| done.to_string())
    }

    #[test]
    fn another_function_is_never_touched() {
        let machine = machine("0000:02:00.0");
        let strange = "0000:01:10.0 is no VF of 0000:01:00.0";
        assert_eq!(outcome(&machine, |job| job.bind(None)), strange);
        assert_eq!(
            outcome(&machine, |job| job.rebind(None).map(|()| true)),
            strange
        );
        assert_eq!(outcome(&machine, |job| job.unbind().map(|_| true)), strange);
        assert_eq!(machine.read("sys/bus/pci/drivers/vfio-pci/unbind"), "");
        let plain = Machine::new().file(&format!("{VF}/vendor"), "");
        assert_eq!(outcome(&plain, |job| job.bind(None)), strange);
    }

    #[test]
    fn a_lent_vf_is_not_at_its_own_driver() {
        let machine = machine("0000:01:00.0");
        let lent = "0000:01:10.0 is bound to vfio-pci, which is not its own driver";
        assert_eq!(outcome(&machine, |job| job.bind(None)), lent);
        let vfio: DriverName = "vfio-pci".parse().unwrap();
        assert_eq!(outcome(&machine, |job| job.bind(Some(&vfio))), "false");
        // What is not there is found out before anything is taken away.
        let none: DriverName = "pci-stub".parse().unwrap();
        let rebind = |job: &Job<'_>| job.rebind(Some(&none)).map(|()| true);
        assert_eq!(
            outcome(&machine, rebind),
            "no PCI driver pci-stub is loaded"
        );
        assert_eq!(machine.read("sys/bus/pci/drivers/vfio-pci/unbind"), "");
        let kept = "vfio-pci does not let go of 0000:01:10.0";
        assert_eq!(
            outcome(&machine, |job| job.rebind(None).map(|()| true)),
            kept
        );
    }
}

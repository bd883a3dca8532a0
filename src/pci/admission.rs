//! `Admission`: what lets a driver have a function, for as long as it takes and no longer.

use std::path::PathBuf;
use std::time::Duration;

use super::driver_error::DriverError;
use super::function::folder;
use crate::kernel::{Host, Sysfs, bounded};
use crate::types::{DriverName, PciAddr};

/// What `driver_override` shows when no driver is named there.
const UNSET: &str = "(null)";
const AUTOPROBE: &str = "sriov_drivers_autoprobe";

/// Undone when it is dropped: the override is cleared, and the PF keeps drivers away as before.
pub(super) struct Admission<'a> {
    sysfs: &'a Sysfs,
    overridden: Option<PathBuf>,
    /// The PF's file, which was 0.
    opened: Option<PathBuf>,
}

impl<'a> Admission<'a> {
    /// Lets `driver` have a VF of `pf`, or whichever knows it. An override of somebody else is
    /// cleared for good.
    pub(super) fn of(
        host: &'a Host,
        address: PciAddr,
        pf: PciAddr,
        driver: Option<&DriverName>,
        limit: Duration,
    ) -> Result<Self, DriverError> {
        let sysfs = host.sysfs();
        let mut admission = Self {
            sysfs,
            overridden: None,
            opened: None,
        };
        let file = folder(address).join("driver_override");
        if let Some(driver) = driver.filter(|driver| driver.takes_anything()) {
            // An override admits the function by itself, whatever its PF says.
            bounded::write(sysfs, &file, &format!("{driver}\n"), limit)?;
            admission.overridden = Some(file);
            return Ok(admission);
        }
        if pinned(sysfs, address).is_some() {
            bounded::write(sysfs, &file, "\n", limit)?;
        }
        if keeps_drivers_away(sysfs, pf) {
            let file = folder(pf).join(AUTOPROBE);
            bounded::write(sysfs, &file, "1", limit)?;
            admission.opened = Some(file);
        }
        Ok(admission)
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        // Neither file waits for anything; what cannot be undone is no worse than before the try.
        if let Some(file) = &self.overridden {
            let _ = self.sysfs.write(file, "\n");
        }
        if let Some(file) = &self.opened {
            let _ = self.sysfs.write(file, "0");
        }
    }
}

/// Whether a PF keeps drivers from its VFs. Kernels before 4.13 have no such file, and keep nobody away.
pub fn keeps_drivers_away(sysfs: &Sysfs, pf: PciAddr) -> bool {
    let file = folder(pf).join(AUTOPROBE);
    sysfs.read(file).is_ok_and(|text| text == "0")
}

/// The driver that somebody named in the function's `driver_override`.
pub fn pinned(sysfs: &Sysfs, address: PciAddr) -> Option<String> {
    let text = sysfs.read(folder(address).join("driver_override")).ok()?;
    (!text.is_empty() && text != UNSET).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    const LIMIT: Duration = Duration::from_secs(5);
    const OVERRIDE: &str = "sys/bus/pci/devices/0000:01:10.0/driver_override";
    const OF_PF: &str = "sys/bus/pci/devices/0000:01:00.0/sriov_drivers_autoprobe";

    fn machine(pinned: &str, autoprobe: &str) -> Machine {
        Machine::new().file(OVERRIDE, pinned).file(OF_PF, autoprobe)
    }

    fn vf() -> (PciAddr, PciAddr) {
        let (vf, pf) = ("0000:01:10.0", "0000:01:00.0");
        (vf.parse().unwrap(), pf.parse().unwrap())
    }

    /// A write puts its bytes at the front of the file: the rest of an old value is cut away by
    /// the kernel alone.
    #[test]
    fn an_override_names_the_driver_and_is_cleared() {
        let machine = machine("", "0");
        let host = machine.host();
        let (vf, pf) = vf();
        let vfio: DriverName = "vfio-pci".parse().unwrap();
        let admission = Admission::of(&host, vf, pf, Some(&vfio), LIMIT).unwrap();
        assert_eq!(machine.read(OVERRIDE), "vfio-pci\n");
        assert_eq!(pinned(host.sysfs(), vf).as_deref(), Some("vfio-pci"));
        drop(admission);
        assert!(machine.read(OVERRIDE).starts_with('\n'));
        assert_eq!(machine.read(OF_PF), "0");
    }

    #[test]
    fn a_pf_that_keeps_drivers_away_is_opened_meanwhile() {
        let machine = machine("(null)\n", "0");
        let host = machine.host();
        let (vf, pf) = vf();
        assert_eq!(pinned(host.sysfs(), vf), None);
        let admission = Admission::of(&host, vf, pf, None, LIMIT).unwrap();
        assert_eq!(machine.read(OF_PF), "1");
        drop(admission);
        assert_eq!(machine.read(OF_PF), "0");
        assert_eq!(machine.read(OVERRIDE), "(null)\n");
    }

    #[test]
    fn what_others_left_is_cleared() {
        let machine = machine("vfio-pci\n", "1");
        let host = machine.host();
        let (vf, pf) = vf();
        let mlx5: DriverName = "mlx5_core".parse().unwrap();
        drop(Admission::of(&host, vf, pf, Some(&mlx5), LIMIT).unwrap());
        assert!(machine.read(OVERRIDE).starts_with('\n'));
        assert_eq!(machine.read(OF_PF), "1");
    }
}

//! New VFs on their way to being of use: driver, RDMA device, network interface.

use std::time::{Duration, Instant};

use super::binding::left;
use super::pf::{Pf, Vf};
use crate::kernel::{Host, Sysfs, SysfsError, modules};
use crate::pci::appearance::{Ears, Equipment};
use crate::pci::driver;
use crate::pci::driver_error::DriverError;

/// How long udev is given to load the module of a driver.
const LOADING: Duration = Duration::from_secs(10);

/// A driver and no more.
const DRIVER: Equipment = Equipment {
    driver: true,
    rdma: false,
    netdev: false,
};

/// A VF that is not of use.
#[derive(Debug)]
pub struct Trouble {
    /// The VF.
    pub vf: Vf,
    /// What it lacks.
    pub lack: Lack,
}

/// What a VF lacks.
#[derive(Debug)]
pub enum Lack {
    /// A driver, and why.
    Driver(DriverError),
    /// These have not come in time.
    Equipment(Equipment),
}

/// Waits until VFs that were offered to drivers have what is expected, and says which have not.
/// A driver that did not take one is asked once more, for the kernel did not pass its answer on.
/// `home` is the sysfs of the namespace in which devices appear.
///
/// # Errors
/// [`SysfsError`].
pub fn settle(
    host: &Host,
    home: &Sysfs,
    mut ears: Ears,
    pf: &Pf,
    expected: Equipment,
    deadline: Instant,
) -> Result<Vec<Trouble>, SysfsError> {
    let sysfs = host.sysfs();
    let mut troubles = Vec::new();
    let mut loading = Vec::new();
    for vf in &pf.vfs {
        if Equipment::of(sysfs, vf.address)?.driver {
            continue;
        }
        if Instant::now() > deadline {
            let lack = Lack::Equipment(DRIVER);
            troubles.push(Trouble { vf: *vf, lack });
            continue;
        }
        match driver::probe(
            host,
            vf.address,
            pf.address,
            || pf.driver(sysfs),
            left(deadline),
        ) {
            Ok(()) => {}
            Err(error @ DriverError::NoneTook { .. }) => loading.push((*vf, error)),
            Err(error) => troubles.push(trouble(*vf, error)),
        }
    }
    if !loading.is_empty() {
        let patience = match modules::are_loaded_on_demand(host) {
            true => deadline.min(Instant::now() + LOADING),
            false => Instant::now(),
        };
        let wanted: Vec<_> = loading.iter().map(|(vf, _)| (vf.address, DRIVER)).collect();
        let still = ears.wait(home, &wanted, patience)?;
        loading.retain(|(vf, _)| still.iter().any(|lack| lack.address == vf.address));
        troubles.extend(loading.into_iter().map(|(vf, error)| trouble(vf, error)));
    }
    let driverless = |vf: &Vf| troubles.iter().any(|trouble| trouble.vf == *vf);
    let driven = pf.vfs.iter().filter(|vf| !driverless(vf));
    let wanted: Vec<_> = driven.map(|vf| (vf.address, expected)).collect();
    for lack in ears.wait(home, &wanted, deadline)? {
        troubles.extend(pf.vf_at(lack.address).map(|vf| Trouble {
            vf,
            lack: Lack::Equipment(lack.missing),
        }));
    }
    troubles.sort_by_key(|trouble| trouble.vf);
    Ok(troubles)
}

fn trouble(vf: Vf, error: DriverError) -> Trouble {
    Trouble {
        vf,
        lack: Lack::Driver(error),
    }
}

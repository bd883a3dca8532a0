//! Bringing a stray home, whoever has it on record, under the name that its record has.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::error::LeaseError;
use super::give_back::{Name, fetch, restore_name};
use super::stray::{Place, Stray};
use super::{locks, settle};
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Conn, Host, LockError};
use crate::pci::device::rdma_names;
use crate::rdma::device;
use crate::wire::nldev::device::Device;

/// A namespace with a hundred devices takes the kernel seconds to end.
pub const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// A stray that is home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homecoming {
    /// RDMA index.
    pub index: u32,
    /// How it is called now.
    pub name: String,
    /// Its name on record, if it could not be had: another device has it.
    pub missed: Option<String>,
    /// The kernel brought it: its namespace ended.
    pub by_kernel: bool,
}

/// Brings a stray home, gives it the name on record, and removes the records of it. Until
/// `deadline`, a namespace that is ending is waited for.
///
/// # Errors
/// [`LeaseError::NotHome`] when it is in no namespace that can be found and does not come by
/// itself; the others when it is still away, or at home under another name.
pub fn bring(
    host: &Host,
    home: &mut Conn,
    stray: &Stray,
    deadline: Instant,
) -> Result<Homecoming, LeaseError> {
    let lock = stray.id.as_ref().map(|id| locks::device(host, id));
    let _lock = match lock.transpose() {
        Ok(lock) => lock,
        Err(error @ LockError::Busy { .. }) => return Err(error.into()),
        // No lock can be had on a read-only disk: that must not keep a device.
        Err(LockError::File(_)) => None,
    };
    let recorded = stray.host_name.as_deref().unwrap_or_default();
    let mut by_kernel = false;
    let arrived = match &stray.place {
        Place::Misnamed(device) => device::with_index(home, device.index)?,
        Place::Lost => None,
        Place::Away(namespace, device) => match namespace.open(host) {
            Ok(netns) => fetch(host, home, &netns, device, recorded)?,
            Err(error) if error.is_absent() => None,
            Err(error) => return Err(error.into()),
        },
    };
    let arrived = match arrived {
        Some(arrived) => arrived,
        None => {
            by_kernel = true;
            await_arrival(host, home, stray, deadline)?
        }
    };
    let missed = match restore_name(home, &arrived, recorded)? {
        Name::Restored => None,
        Name::Kept(_) => Some(recorded.to_owned()),
    };
    let mut now = device::with_index(home, arrived.index)?.unwrap_or(arrived);
    if let Some(id) = &stray.id {
        now = settle::others(host, home, id, now)?;
    }
    Ok(Homecoming {
        index: now.index,
        name: now.name,
        missed,
        by_kernel,
    })
}

/// The device, once the kernel has brought it home from a namespace that ended.
fn await_arrival(
    host: &Host,
    home: &mut Conn,
    stray: &Stray,
    deadline: Instant,
) -> Result<Device, LeaseError> {
    let own = NetnsSysfs::of_caller(host);
    let sysfs = own.as_ref().map_or(host.sysfs(), NetnsSysfs::tree);
    loop {
        let arrived = match (&stray.place, &stray.id) {
            (Place::Away(_, device), _) => device::with_index(home, device.index)?,
            (_, Some(id)) => match rdma_names(sysfs, id)?.first() {
                Some(name) => named(home, name)?,
                None => None,
            },
            (_, None) => named(home, &stray.name)?,
        };
        match arrived {
            Some(arrived) => return Ok(arrived),
            None if Instant::now() < deadline => sleep(PAUSE),
            None => {
                return Err(LeaseError::NotHome {
                    device: stray.name.clone(),
                });
            }
        }
    }
}

fn named(home: &mut Conn, name: &str) -> Result<Option<Device>, LeaseError> {
    let devices = device::list(home)?.into_iter();
    let mut devices =
        devices.filter(|device| device.name.replace('/', "!") == name.replace('/', "!"));
    Ok(devices.next())
}

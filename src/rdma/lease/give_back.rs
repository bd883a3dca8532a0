//! Bringing a lent device home, under the name it had there.

use super::error::LeaseError;
use super::locate::{Place, Search};
use super::naming::spare;
use super::record::Record;
use super::{locks, netdev};
use crate::kernel::{Conn, Host, LockError, Netns, state};
use crate::rdma::{RdmaError, device};
use crate::types::RdmaName;
use crate::wire::nldev::device::Device;

/// How a lease ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The device was at home, under its old name or another.
    WasHome(Name),
    /// It was brought home from a namespace.
    Fetched {
        /// The namespace.
        from: String,
        /// How it is called now.
        name: Name,
    },
    /// It does not exist, or is where it cannot be found.
    Nowhere,
}

/// Ends a lease: finds the device, brings it home, and restores its name. Repeating it is safe.
///
/// # Errors
/// [`LeaseError`]: the device is still away.
pub fn end(search: &Search<'_>, home: &mut Conn) -> Result<Ending, LeaseError> {
    let host_name = search.record.map_or("", |record| record.host_name.as_str());
    match search.run_patiently(home)? {
        Place::Nowhere => Ok(Ending::Nowhere),
        Place::Home(device) => {
            let name = if is_the_lent_one(search, &device)? {
                netdev::restore(search);
                restore_name(home, &device, host_name)?
            } else {
                Name::Restored
            };
            Ok(Ending::WasHome(name))
        }
        Place::Away(netns, device) => {
            let from = netns.word().to_owned();
            match fetch(search.host, home, &netns, &device, host_name)? {
                Some(arrived) => {
                    let name = restore_name(home, &arrived, host_name)?;
                    netdev::restore(search);
                    Ok(Ending::Fetched { from, name })
                }
                // Its namespace ended under us, and the kernel brings it home.
                None => Ok(Ending::Nowhere),
            }
        }
    }
}

/// Ends a lease of all devices that were lent along, the last one first; one that fails does not
/// keep the others. By the name at home, which is empty where none is on record.
///
/// # Errors
/// The first [`LeaseError`], after the rest was done: a device is still away.
pub fn end_each(search: &Search<'_>, home: &mut Conn) -> Result<Vec<(String, Ending)>, LeaseError> {
    let views = search.record.map(Record::each).unwrap_or_default();
    let mut ended = Ok(Vec::new());
    for view in views.iter().rev() {
        let one = Search {
            record: Some(view),
            ..*search
        };
        ended = also(
            ended,
            end(&one, home).map(|end| (view.host_name.clone(), end)),
        );
    }
    if views.is_empty() {
        ended = also(ended, end(search, home).map(|end| (String::new(), end)));
    }
    // Each round takes one out; the limit is for a kernel that says so and does not do it.
    for _ in 0..MAX_DEVICES {
        let Some((netns, device)) = search.left_inside(home)? else {
            break;
        };
        let fetched = fetch(search.host, home, &netns, &device, "")?.map(|arrived| {
            let from = netns.word().to_owned();
            let name = Name::Restored;
            (arrived.name, Ending::Fetched { from, name })
        });
        let Some(fetched) = fetched else { break };
        ended = also(ended, Ok(fetched));
    }
    ended
}

/// Most devices that one function has.
const MAX_DEVICES: usize = 64;

fn also<T>(
    all: Result<Vec<T>, LeaseError>,
    one: Result<T, LeaseError>,
) -> Result<Vec<T>, LeaseError> {
    let (mut all, one) = (all?, one?);
    all.push(one);
    Ok(all)
}

/// A driver that was bound anew, or a new boot, makes another device, named as it should be.
fn is_the_lent_one(search: &Search<'_>, device: &Device) -> Result<bool, LeaseError> {
    let Some(lodging) = search.record.and_then(|record| record.lodging.as_ref()) else {
        return Ok(false);
    };
    let boot = state::boot_id(search.host)?;
    Ok(boot.as_deref() == Some(lodging.netns.boot.as_str()) && lodging.is_of(device))
}

/// Moves `device` from `netns` to the caller's namespace and returns it as it arrived; its name
/// may be another one, where the one it had is taken at home.
///
/// # Errors
/// [`LeaseError::Lost`] when it left and did not arrive; `None` when it was not there any more.
pub fn fetch(
    host: &Host,
    home: &mut Conn,
    netns: &Netns,
    device: &Device,
    host_name: &str,
) -> Result<Option<Device>, LeaseError> {
    let target = Netns::current(host)?;
    let lock = match locks::node(host) {
        Ok(lock) => Some(lock),
        Err(error @ LockError::Busy { .. }) => return Err(error.into()),
        // No lock can be had on a read-only disk: that must not keep a device.
        Err(LockError::File(_)) => None,
    };
    // Only a thread inside may move it, whatever socket it has (`rdma_dev_change_netns` compares with
    // `current->nsproxy->net_ns`, drivers/infiniband/core/nldev.c).
    let leave = |conn: &mut Conn| leave(conn, device, &target, host_name);
    let left = netns.within(|| netns.over_rdma(host, leave))???;
    drop(lock);
    if !left {
        return Ok(None);
    }
    match device::with_index(home, device.index)? {
        Some(arrived) => Ok(Some(arrived)),
        None => Err(LeaseError::Lost {
            device: device.name.clone(),
            netns: "the host".to_owned(),
        }),
    }
}

/// Inside the container's namespace. Since Linux 7.3 a name may be taken at home: then the
/// device leaves under another one, its own name at home first of all.
fn leave(
    conn: &mut Conn,
    device: &Device,
    target: &Netns,
    host_name: &str,
) -> Result<bool, RdmaError> {
    let spare = spare(device);
    let mut names = [host_name, spare.as_str()].into_iter();
    loop {
        let Some(device) = device::with_index(conn, device.index)? else {
            return Ok(false);
        };
        match device::move_to(conn, &device, target) {
            Ok(()) => return Ok(true),
            Err(RdmaError::Gone { .. }) => return Ok(false),
            Err(taken @ RdmaError::NameTaken { .. }) => {
                let Some(name) = names.find(|name| *name != device.name) else {
                    return Err(taken);
                };
                if let Ok(name) = name.parse::<RdmaName>() {
                    match device::rename(conn, &device, &name) {
                        Ok(()) | Err(RdmaError::NameTaken { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// How a device is called after its name was to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// As it was before it left.
    Restored,
    /// Otherwise, because the old name belongs to another device now.
    Kept(String),
}

/// Gives a device at home its old name again.
///
/// # Errors
/// [`RdmaError`], a taken name apart.
pub fn restore_name(conn: &mut Conn, device: &Device, host_name: &str) -> Result<Name, RdmaError> {
    if device.name == host_name || host_name.is_empty() {
        return Ok(Name::Restored);
    }
    let kept = || Ok(Name::Kept(device.name.clone()));
    let Ok(name) = host_name.parse::<RdmaName>() else {
        return kept();
    };
    match device::rename(conn, device, &name) {
        Ok(()) => Ok(Name::Restored),
        Err(RdmaError::NameTaken { .. }) => kept(),
        Err(error) => Err(error),
    }
}

//! `poststop`: what a container has comes home, whatever became of the container meanwhile.

use super::error::HookError;
use crate::kernel::{Conn, Host, LockError, Netns};
use crate::pci::device::{Presence, presence};
use crate::rdma::RdmaError;
use crate::rdma::lease::give_back::{self, Ending, Name};
use crate::rdma::lease::locate::Search;
use crate::rdma::lease::{Entry, LeaseError, Store, locks, of_hook};
use crate::types::{ContainerId, DeviceId};

/// What a container has on record.
///
/// # Errors
/// [`LeaseError::File`] when the records cannot be listed.
pub fn on_record(host: &Host, container: &ContainerId) -> Result<Vec<Entry>, LeaseError> {
    let is_theirs = |entry: &Entry| match &entry.record {
        Some(record) => record.attachment.as_ref().is_some_and(|theirs| {
            of_hook::is_of_hook(theirs) && theirs.container == container.as_str()
        }),
        // Garbage; its name still tells.
        None => device_of_name(container, &entry.name).is_some(),
    };
    let mut all = Store::new(host).all()?;
    all.retain(is_theirs);
    Ok(all)
}

fn device_of_name(container: &ContainerId, name: &str) -> Option<DeviceId> {
    name.strip_prefix(&of_hook::prefix(container))?.parse().ok()
}

/// The device that a record is about.
pub fn device(container: &ContainerId, entry: &Entry) -> Option<DeviceId> {
    let record = entry.record.as_ref();
    let recorded = record.and_then(|record| record.device_id.clone());
    recorded.or_else(|| device_of_name(container, &entry.name))
}

/// Brings home what is in these records of a container, each whatever becomes of the others, and
/// removes them. What a person should know is added to `notes`.
///
/// # Errors
/// Every failure, after the rest was done: those devices are still away, and their records stay.
pub fn bring(
    host: &Host,
    container: &ContainerId,
    entries: &[Entry],
    notes: &mut Vec<String>,
) -> Result<(), Vec<HookError>> {
    let store = Store::new(host);
    // What a killed hook was writing is in nobody's way.
    let _ = store.folder().sweep();
    if entries.is_empty() {
        return Ok(());
    }
    let mut failures = Vec::new();
    let mut home = match host.rdma().map_err(RdmaError::from) {
        Ok(home) => Some(home),
        // Without the subsystem there is no device that could be away.
        Err(RdmaError::NoRdma) => None,
        Err(error) => return Err(vec![error.into()]),
    };
    for entry in entries {
        let ended = home.as_mut().map_or(Ok(()), |home| {
            let mut end = End {
                host,
                home,
                container,
                netns: None,
                notes: Vec::new(),
            };
            let ended = end.of(entry);
            notes.extend(end.notes);
            ended
        });
        let removed = ended.and_then(|()| Ok(store.folder().remove(&entry.name)?));
        failures.extend(removed.err());
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(failures)
}

/// The end of what a container has.
pub(super) struct End<'a> {
    /// The machine.
    pub(super) host: &'a Host,
    /// Its RDMA subsystem, at home.
    pub(super) home: &'a mut Conn,
    /// The container.
    pub(super) container: &'a ContainerId,
    /// Its namespace, where that is known.
    pub(super) netns: Option<&'a Netns>,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

impl End<'_> {
    /// Takes one device back that was just given.
    pub(super) fn take(&mut self, id: &DeviceId) -> Result<(), HookError> {
        let store = Store::new(self.host);
        let attachment = of_hook::attachment(self.container, id);
        for entry in store.own(&attachment, Some(id))? {
            self.of(&entry)?;
            store.folder().remove(&entry.name)?;
        }
        Ok(())
    }

    fn of(&mut self, entry: &Entry) -> Result<(), HookError> {
        let host = self.host;
        let Some(id) = device(self.container, entry) else {
            return Ok(());
        };
        let _lock = match locks::device(host, &id) {
            Ok(lock) => Some(lock),
            Err(error @ LockError::Busy { .. }) => return Err(error.into()),
            // No lock can be had on a read-only disk: that must not keep a device.
            Err(LockError::File(_)) => None,
        };
        let attachment = of_hook::attachment(self.container, &id);
        let search = Search {
            host,
            attachment: &attachment,
            device_id: Some(&id),
            record: entry.record.as_ref(),
            netns: self.netns,
        };
        for (name, ending) in give_back::end_each(&search, self.home)? {
            let what = if name.is_empty() {
                id.to_string()
            } else {
                name
            };
            let name = match ending {
                Ending::WasHome(name) | Ending::Fetched { name, .. } => name,
                Ending::Nowhere if is_bound(host, &id)? => {
                    return Err(LeaseError::NotHome { device: what }.into());
                }
                // With its function or its driver the device itself is gone.
                Ending::Nowhere => continue,
            };
            if let Name::Kept(kept) = name {
                self.notes.push(format!(
                    "{what} is now called {kept}: its name belongs to another device"
                ));
            }
        }
        Ok(())
    }
}

fn is_bound(host: &Host, id: &DeviceId) -> Result<bool, HookError> {
    Ok(matches!(presence(host.sysfs(), id)?, Presence::Bound(_)))
}

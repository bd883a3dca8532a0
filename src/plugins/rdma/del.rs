//! DEL: the device home, its name restored, the record gone; from record and live system alike.

use super::config::Settings;
use super::{Rdma, attachment, device};
use crate::cni::prev_result::PrevResult;
use crate::cni::{Call, Config, Failure};
use crate::kernel::{Conn, LockError, Netns};
use crate::plugins::fault;
use crate::plugins::logged::Logged;
use crate::rdma::RdmaError;
use crate::rdma::lease::give_back::{self, Ending, Name};
use crate::rdma::lease::locate::Search;
use crate::rdma::lease::{Attachment, Entry, Store, locks};
use crate::types::DeviceId;

/// Takes the device back from the container.
///
/// # Errors
/// The first failure, after everything else was done: a device is still away, and a repeat may help.
pub fn del(plugin: &mut Rdma<'_>, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
    let (settings, trouble) = Settings::read_what_can_be(call, config);
    let attachment = attachment(call, config);
    let id: Option<DeviceId> = settings.device.parse().ok();
    let store = Store::new(plugin.host);
    let netns = plugin.begin_del(call, settings.debug, trouble, store.folder());
    let own = store.own(&attachment, id.as_ref()).unwrap_or_else(|error| {
        plugin.log.warn(fault::chain(&error));
        Vec::new()
    });
    let mut ends = Ends {
        plugin,
        attachment,
        netns,
    };
    if !own.is_empty() {
        let id = id.or_else(|| by_address(&ends, &settings, config, &own));
        return ends.all(own, id);
    }
    // Nothing on record: the device is looked for where the runtime says the container is.
    let id = id.or_else(|| by_address(&ends, &settings, config, &own));
    match (id, &ends.netns) {
        (Some(id), Some(_)) => ends.unrecorded(&id),
        (id, _) => {
            if let Some(id) = id {
                locks::clear_device(ends.plugin.host, &id);
            }
            ends.plugin
                .log
                .info("nothing on record, nothing to bring home");
            Ok(())
        }
    }
}

/// The device that ADD would have found by the interface's address; only needed where no record
/// names it.
fn by_address(
    ends: &Ends<'_, '_>,
    settings: &Settings,
    config: &Config<'_>,
    own: &[Entry],
) -> Option<DeviceId> {
    let recorded = own.iter().any(|entry| {
        let record = entry.record.as_ref();
        record.is_some_and(|record| record.device_id.is_some())
    });
    if recorded || ends.netns.is_none() || !settings.device.is_empty() {
        return None;
    }
    let prev = PrevResult::of(config).ok()??;
    device::wanted(ends.plugin.host, settings, Some(&prev)).ok()
}

/// The leases of one attachment, while they end.
struct Ends<'p, 'h> {
    plugin: &'p mut Rdma<'h>,
    attachment: Attachment,
    netns: Option<Netns>,
}

impl Ends<'_, '_> {
    fn all(&mut self, own: Vec<Entry>, id: Option<DeviceId>) -> Result<(), Failure> {
        let mut first = Ok(());
        for entry in own {
            let recorded = entry.record.as_ref();
            let device = recorded
                .and_then(|record| record.device_id.clone())
                .or_else(|| id.clone());
            if recorded.is_none() {
                let name = &entry.name;
                self.plugin.log.warn(format!(
                    "record {name} is unreadable; looking for the device itself"
                ));
            }
            match self.one(&entry, device.as_ref()) {
                Ok(()) => self.forget(&entry.name),
                Err(failure) => first = first.and(Err(failure)),
            }
        }
        first
    }

    fn unrecorded(&mut self, id: &DeviceId) -> Result<(), Failure> {
        let entry = Entry {
            name: String::new(),
            record: None,
        };
        self.one(&entry, Some(id))
    }

    fn one(&mut self, entry: &Entry, id: Option<&DeviceId>) -> Result<(), Failure> {
        let host = self.plugin.host;
        let mut home = match host.rdma().map_err(RdmaError::from) {
            Ok(home) => home,
            Err(error @ RdmaError::NoRdma) => {
                self.plugin
                    .log
                    .warn(format!("{error}: no device can be away"));
                return Ok(());
            }
            Err(error) => return Err(fault::rdma(&error)),
        };
        let lock = id.map(|id| locks::device(host, id)).transpose();
        let _lock = match lock {
            Ok(lock) => lock,
            Err(error @ LockError::Busy { .. }) => return Err(fault::lock(&error)),
            Err(LockError::File(error)) => {
                self.plugin.log.warn(fault::chain(&error));
                None
            }
        };
        let search = Search {
            host,
            attachment: &self.attachment,
            device_id: id,
            record: entry.record.as_ref(),
            netns: self.netns.as_ref(),
        };
        for (name, ending) in end(&search, &mut home)? {
            self.report(&ending, name, id);
        }
        Ok(())
    }

    fn report(&mut self, ending: &Ending, name: String, id: Option<&DeviceId>) {
        let what = match (name.is_empty(), id) {
            (false, _) => name,
            (true, Some(id)) => id.to_string(),
            (true, None) => "the device".to_owned(),
        };
        let log = &mut self.plugin.log;
        let name = match ending {
            Ending::Nowhere => {
                log.warn(format!(
                    "{what} is nowhere to be found; the kernel returns it when its namespace ends"
                ));
                return;
            }
            Ending::WasHome(name) => {
                log.debug(format!("{what} is at home"));
                name
            }
            Ending::Fetched { from, name } => {
                log.info(format!("brought {what} home from {from}"));
                name
            }
        };
        if let Name::Kept(kept) = name {
            log.warn(format!(
                "{what} is now called {kept}: its name belongs to another device"
            ));
        }
    }

    fn forget(&mut self, name: &str) {
        let store = Store::new(self.plugin.host);
        if let Err(error) = store.folder().remove(name) {
            // Void, and seen to by the next ADD of the device.
            self.plugin.log.warn(fault::chain(&error));
        }
    }
}

/// Ends one lease, of all its devices, in the words of Go's plugin when it fails.
///
/// # Errors
/// The device is still away.
pub fn end(search: &Search<'_>, home: &mut Conn) -> Result<Vec<(String, Ending)>, Failure> {
    give_back::end_each(search, home).map_err(|error| {
        let mut failure = fault::lease(&error);
        let name = search.record.map_or("", |record| record.host_name.as_str());
        failure.msg = format!(
            "failed to restore RDMA device {name} to default namespace. {}",
            failure.msg
        );
        failure
    })
}

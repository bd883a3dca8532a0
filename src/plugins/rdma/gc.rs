//! GC: the devices of attachments that the runtime does not know any more come home.

use super::{Rdma, del};
use crate::cni::{Config, Failure};
use crate::kernel::Conn;
use crate::plugins::{fault, valid};
use crate::rdma::RdmaError;
use crate::rdma::lease::locate::{Place, Search};
use crate::rdma::lease::{Attachment, Entry, Record, Store, locks};

/// Ends every lease of this network that is not in the list.
///
/// # Errors
/// Code 7 without a list; else what could not be freed, after everything else was.
pub fn gc(plugin: &mut Rdma<'_>, config: &Config<'_>) -> Result<(), Failure> {
    let valid = valid::attachments(config)?;
    let store = Store::new(plugin.host);
    let entries = store.all().map_err(|error| fault::file(&error))?;
    if let Err(error) = store.folder().sweep() {
        plugin.log.debug(fault::chain(&error));
    }
    locks::sweep(plugin.host);
    let mut home = plugin
        .host
        .rdma()
        .map_err(|error| fault::rdma(&RdmaError::from(error)))?;
    let mut failures = Vec::new();
    for entry in entries {
        let Some(record) = &entry.record else {
            continue;
        };
        let ended = match &record.attachment {
            Some(theirs) if theirs.network == config.name && !valid.contains(theirs) => {
                ours(plugin, &mut home, record, theirs)
            }
            None if is_stray_of(&entry, config, &valid) => gos(plugin, &mut home, record, &entry),
            _ => continue,
        };
        let removed = match ended {
            Ok(true) => store
                .folder()
                .remove(&entry.name)
                .map_err(|error| fault::file(&error)),
            Ok(false) => Ok(()),
            Err(failure) => Err(failure),
        };
        match removed {
            Ok(()) => plugin.log.info(format!("collected {}", entry.name)),
            Err(failure) => failures.push((entry.name, failure)),
        }
    }
    valid::freed(failures)
}

/// Go's records tell neither network nor container but by their name, which is ambiguous.
fn is_stray_of(entry: &Entry, config: &Config<'_>, valid: &[Attachment]) -> bool {
    let store_name = |a: &Attachment| format!("{}-{}-{}", a.network, a.container, a.ifname);
    entry.name.starts_with(&format!("{}-", config.name))
        && !valid
            .iter()
            .any(|attachment| store_name(attachment) == entry.name)
}

fn ours(
    plugin: &mut Rdma<'_>,
    home: &mut Conn,
    record: &Record,
    attachment: &Attachment,
) -> Result<bool, Failure> {
    let id = record.device_id.as_ref();
    let lock = id.map(|id| locks::device(plugin.host, id)).transpose();
    let _lock = lock.map_err(|error| fault::lock(&error))?;
    let search = Search {
        host: plugin.host,
        attachment,
        device_id: id,
        record: Some(record),
        netns: None,
    };
    del::end(&search, home)?;
    Ok(true)
}

/// A record of Go goes when its device is not out: which network it is of cannot be known, and a
/// device in use must not be taken away on a guess.
fn gos(
    plugin: &mut Rdma<'_>,
    home: &mut Conn,
    record: &Record,
    entry: &Entry,
) -> Result<bool, Failure> {
    let nobody = Attachment {
        network: String::new(),
        container: String::new(),
        ifname: String::new(),
    };
    let search = Search {
        host: plugin.host,
        attachment: &nobody,
        device_id: record.device_id.as_ref(),
        record: Some(record),
        netns: None,
    };
    match search.run(home).map_err(|error| fault::lease(&error))? {
        Place::Home(_) => Ok(true),
        Place::Nowhere | Place::Away(..) => {
            plugin.log.warn(format!(
                "{} may be another network's; left to its DEL",
                entry.name
            ));
            Ok(false)
        }
    }
}

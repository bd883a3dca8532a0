//! GC: the VFs of attachments that the runtime does not know any more come home.

use super::{IbSriov, del};
use crate::attachment::{Entry, VfStore};
use crate::cni::ipam::{Ipam, Task};
use crate::cni::{Call, Config, Failure};
use crate::plugins::{fault, valid};
use crate::rdma::lease::{Attachment, locks};

/// Ends every attachment of this network that is not in the list, and has the IPAM plugin do the
/// same.
///
/// # Errors
/// Code 7 without a list; else what could not be freed, after everything else was.
pub fn gc(plugin: &mut IbSriov<'_>, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
    let valid = valid::attachments(config)?;
    let store = VfStore::new(plugin.host);
    let entries = store.all().map_err(|error| fault::file(&error))?;
    if let Err(error) = store.folder().sweep() {
        plugin.log.debug(fault::chain(&error));
    }
    locks::sweep(plugin.host);
    let mut failures = Vec::new();
    for entry in entries {
        let Some(theirs) = stale(&entry, config, &valid) else {
            continue;
        };
        let Some(record) = &entry.record else {
            continue;
        };
        let ended = del::end(plugin, &theirs, record, None, false);
        let removed = ended.and_then(|()| {
            let removed = store.folder().remove(&entry.name);
            removed.map_err(|error| fault::file(&error))
        });
        match removed {
            Ok(()) => plugin.log.info(format!("collected {}", entry.name)),
            Err(failure) => failures.push((entry.name, failure)),
        }
    }
    if let Some(ipam) = Ipam::of(config, call)?
        && let Err(failure) = ipam.ask(Task::Gc, plugin.env, config)
    {
        // One from before CNI 1.1 keeps what it has until DEL.
        if failure.msg.starts_with("unknown CNI_COMMAND") {
            plugin
                .log
                .warn(format!("IPAM plugin {} knows no GC", ipam.kind()));
        } else {
            failures.push((format!("IPAM plugin {}", ipam.kind()), failure));
        }
    }
    valid::freed(failures)
}

/// Whose a record is, if the runtime does not know him. Go's say the network inside and the rest
/// by their name: `CONTAINER-INTERFACE`.
fn stale(entry: &Entry, config: &Config<'_>, valid: &[Attachment]) -> Option<Attachment> {
    let record = entry.record.as_ref()?;
    let theirs = match &record.attachment {
        Some(theirs) => theirs.clone(),
        None => {
            let (container, ifname) = entry.name.rsplit_once('-')?;
            Attachment {
                network: record.network.clone(),
                container: container.to_owned(),
                ifname: ifname.to_owned(),
            }
        }
    };
    // An interface may have a dash in its name: every way to cut the file's name counts.
    let named = |valid: &Attachment| format!("{}-{}", valid.container, valid.ifname) == entry.name;
    let is_valid = match record.attachment {
        Some(_) => valid.contains(&theirs),
        None => valid.iter().any(named),
    };
    (theirs.network == config.name && !is_valid).then_some(theirs)
}

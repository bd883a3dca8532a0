//! DEL: the VF home and as it was, its addresses released, the record gone; each by itself.

use super::add::locked;
use super::config::Settings;
use super::{IbSriov, attachment};
use crate::attachment::release::{Release, unrecorded};
use crate::attachment::{Entry, VfRecord, VfStore};
use crate::cni::ipam::{Ipam, Task};
use crate::cni::{Call, Code, Config, Failure};
use crate::kernel::Netns;
use crate::netdev::on_function;
use crate::plugins::attach_fault::attach;
use crate::plugins::char_devices::Policy;
use crate::plugins::fault;
use crate::plugins::logged::Logged;
use crate::rdma::lease::{Attachment, locks};
use crate::types::DeviceId;

/// Takes the VF back from the container.
///
/// # Errors
/// The first failure, after everything else was done: a repeat may help.
pub fn del(plugin: &mut IbSriov<'_>, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
    let (settings, trouble) = Settings::read_what_can_be(call, config);
    let attachment = attachment(call, config);
    let store = VfStore::new(plugin.host);
    let netns = plugin.begin_del(call, settings.debug, trouble, store.folder());
    locks::clear_adding(plugin.host, &attachment);
    locks::clear_names(plugin.host);
    let own = store.own(&attachment).unwrap_or_else(|error| {
        plugin.log.warn(fault::chain(&error));
        Vec::new()
    });
    let together = settings.char_devices == Policy::Any;
    let mut first = Ok(());
    if own.is_empty() {
        first = lost(plugin, &settings, &attachment, netns.as_ref());
    }
    for entry in &own {
        let record = whole(entry, &settings);
        if let Some(guid) = record.wanted.guid {
            locks::clear_guid(plugin.host, guid);
        }
        match end(plugin, &attachment, &record, netns.as_ref(), together) {
            Ok(()) => forget(plugin, &entry.name),
            Err(failure) => first = first.and(Err(failure)),
        }
    }
    // The interface is away: nobody uses its addresses any more.
    first.and(release_addresses(plugin, call, config))
}

/// A record that was cut short, or is garbage, is helped out with what the configuration says.
fn whole(entry: &Entry, settings: &Settings) -> VfRecord {
    let record = entry.record.clone().unwrap_or_default();
    if record.function.is_some() {
        return record;
    }
    match settings.device {
        Some(function) => unrecorded(function, settings.isolation),
        None => record,
    }
}

/// Without a record the VF is looked for where the runtime says the container is.
fn lost(
    plugin: &mut IbSriov<'_>,
    settings: &Settings,
    attachment: &Attachment,
    netns: Option<&Netns>,
) -> Result<(), Failure> {
    if let Some(function) = settings.device {
        locks::clear_device(plugin.host, &DeviceId::Pci(function));
        if let Ok(Some(guid)) = settings.guid_for(plugin.host, function) {
            locks::clear_guid(plugin.host, guid);
        }
    }
    let (Some(function), Some(netns)) = (settings.device, netns) else {
        plugin.log.info("nothing on record, nothing to bring home");
        return Ok(());
    };
    let claimed = VfStore::new(plugin.host).of_others(function, attachment);
    if claimed.is_ok_and(|claimed| !claimed.is_empty()) {
        return Ok(());
    }
    let inside = on_function::inside(plugin.host, netns, function);
    if !settings.isolation && !inside.is_ok_and(|link| link.is_some()) {
        return Ok(());
    }
    plugin.log.warn(format!(
        "nothing on record; looking for {function} in the container"
    ));
    let record = unrecorded(function, settings.isolation);
    end(plugin, attachment, &record, Some(netns), false)
}

/// Ends one attachment; `together` with others, whatever numbers character devices get.
///
/// # Errors
/// The first failure; the others are told on stderr.
pub fn end(
    plugin: &mut IbSriov<'_>,
    attachment: &Attachment,
    record: &VfRecord,
    netns: Option<&Netns>,
    together: bool,
) -> Result<(), Failure> {
    let _lock = record.function.map(|function| locked(plugin, function));
    let _lock = match _lock {
        None => None,
        Some(Ok(lock)) => Some(lock),
        Some(Err(failure)) if failure.code == Code::TRY_AGAIN => return Err(failure),
        // No lock can be had on a read-only disk: that must not keep a VF.
        Some(Err(failure)) => {
            plugin.log.warn(failure.msg);
            None
        }
    };
    let release = Release {
        host: plugin.host,
        attachment,
        record,
        netns,
        together,
    };
    let outcome = release.run();
    plugin.report(&outcome.notes);
    for warning in outcome.warnings {
        plugin.log.warn(warning);
    }
    let mut failures = outcome.failures.iter().map(attach);
    let first = failures.next();
    for failure in failures {
        plugin.log.warn(failure.msg);
    }
    match first {
        Some(failure) => Err(failure),
        None => {
            if let Some(function) = record.function {
                plugin.log.info(format!("{function} is at home"));
            }
            Ok(())
        }
    }
}

fn forget(plugin: &mut IbSriov<'_>, name: &str) {
    if let Err(error) = VfStore::new(plugin.host).folder().remove(name) {
        // Void, and seen to by the next ADD of the VF.
        plugin.log.warn(fault::chain(&error));
    }
}

/// Asks the IPAM plugin to release; one that is not there any more must not keep a pod.
fn release_addresses(
    plugin: &mut IbSriov<'_>,
    call: &Call,
    config: &Config<'_>,
) -> Result<(), Failure> {
    let ipam = match Ipam::of(config, call) {
        Ok(Some(ipam)) => ipam,
        Ok(None) => return Ok(()),
        Err(failure) => {
            plugin
                .log
                .warn(format!("the addresses stay reserved: {}", failure.msg));
            return Ok(());
        }
    };
    let (_, said) = ipam.ask(Task::Del, plugin.env, config)?;
    if !said.is_empty() {
        plugin.log.debug(said);
    }
    Ok(())
}

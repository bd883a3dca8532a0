//! CHECK: whether the container still has the device that ADD gave it.

use super::config::Settings;
use super::{Rdma, add, attachment, shared};
use crate::cni::{Call, Config, Failure};
use crate::kernel::{Conn, Netns};
use crate::plugins::{fault, netns};
use crate::rdma::RdmaError;
use crate::rdma::lease::locate::{Place, Search};
use crate::rdma::lease::{Attachment, Phase, Record, Store};
use crate::types::DeviceId;

/// Looks for the record and for the device.
///
/// # Errors
/// Code 105 with what is wrong; those of the environment and the configuration.
pub fn check(plugin: &mut Rdma<'_>, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
    let settings = Settings::read(call, config)?;
    plugin.log.set_debug(settings.debug);
    add::previous(config)?;
    let netns = netns::target(plugin.host, call)?;
    let attachment = attachment(call, config);
    let id: Option<DeviceId> = settings.device.parse().ok();
    let own = Store::new(plugin.host)
        .own(&attachment, id.as_ref())
        .map_err(|error| fault::file(&error))?;
    let record = own.into_iter().find_map(|entry| entry.record);
    let mut home = plugin
        .host
        .rdma()
        .map_err(|error| fault::rdma(&RdmaError::from(error)))?;
    if record.is_none() && shared::is_skipped(&mut home, settings.shared_mode)? {
        return Ok(());
    }
    let record = record.ok_or_else(|| {
        wrong(
            "no record of an RDMA device for this attachment".to_owned(),
            "ADD was not called, or its record is gone or unreadable; DEL and ADD make it anew",
        )
    })?;
    require_whole(&record, &netns, id.as_ref())?;
    for view in record.each() {
        require_inside(plugin, &mut home, &attachment, &view, id.as_ref(), &netns)?;
    }
    Ok(())
}

/// One device of a lease.
fn require_inside(
    plugin: &mut Rdma<'_>,
    home: &mut Conn,
    attachment: &Attachment,
    record: &Record,
    id: Option<&DeviceId>,
    netns: &Netns,
) -> Result<(), Failure> {
    let search = Search {
        host: plugin.host,
        attachment,
        device_id: record.device_id.as_ref().or(id),
        record: Some(record),
        netns: Some(netns),
    };
    let name = &record.host_name;
    match search.run(home).map_err(|error| fault::lease(&error))? {
        Place::Away(there, device) if there.id() == netns.id() => {
            if device.name != record.pod_name {
                plugin.log.info(format!(
                    "{} is called {} in the container",
                    record.pod_name, device.name
                ));
            }
            Ok(())
        }
        Place::Away(there, _) => Err(wrong(
            format!(
                "RDMA device {name} is in network namespace {}",
                there.word()
            ),
            "somebody moved it on: DEL brings it home, ADD lends it anew",
        )),
        Place::Home(_) => Err(wrong(
            format!("RDMA device {name} is not in the container but on the host"),
            "somebody took it out, or its driver was bound anew; DEL and ADD lend it again",
        )),
        Place::Nowhere => Err(wrong(
            format!("RDMA device {name} is nowhere to be found"),
            "its function or its driver is gone; DEL clears the record",
        )),
    }
}

/// What the record alone can tell.
fn require_whole(record: &Record, netns: &Netns, id: Option<&DeviceId>) -> Result<(), Failure> {
    if record.phase != Phase::Done {
        return Err(wrong(
            "ADD did not come to its end".to_owned(),
            "it was killed; DEL and ADD put it right",
        ));
    }
    if let (Some(recorded), Some(id)) = (&record.device_id, id)
        && recorded != id
    {
        return Err(wrong(
            format!("the configuration names {id}, the record {recorded}"),
            "the configuration changed under the container; DEL and ADD follow it",
        ));
    }
    match &record.lodging {
        Some(lodging) if !lodging.netns.is(netns) => {
            Err(netns::made_anew("device", lodging.netns.id, netns))
        }
        _ => Ok(()),
    }
}

fn wrong(msg: String, details: &str) -> Failure {
    Failure::new(fault::CHECK_FAILED, msg).details(details)
}

//! Seeing to records from before: of an ADD that was killed, of a DEL that never came.

use super::error::AttachError;
use super::release::{Outcome, Release, find};
use super::store::{Entry, VfStore};
use crate::kernel::{Host, Netns};
use crate::netdev::on_function;
use crate::rdma::lease::Attachment;
use crate::types::PciAddr;

/// Puts back what an earlier ADD of this attachment left half done, and what other attachments
/// have on record of `function` though their containers are gone.
///
/// # Errors
/// [`AttachError::Already`], [`AttachError::Taken`], and what could not be put back.
pub fn settle(
    host: &Host,
    attachment: &Attachment,
    function: PciAddr,
    warnings: &mut Vec<String>,
) -> Result<(), AttachError> {
    let store = VfStore::new(host);
    for entry in store.own(attachment)? {
        if let Some(record) = &entry.record
            && record.done
            && record.lodging.is_some()
            && is_out(host, &entry)?
        {
            return Err(AttachError::Already {
                attachment: attachment.clone(),
                function: record.function.unwrap_or(function),
                record: entry.name,
            });
        }
        end(host, attachment, &entry, warnings)?;
    }
    for entry in store.of_others(function, attachment)? {
        let theirs = entry
            .record
            .as_ref()
            .and_then(|record| record.attachment.clone());
        if is_out(host, &entry)? || may_be_out(host, &entry, function)? {
            let container = match &theirs {
                Some(theirs) => theirs.container.clone(),
                None => entry.name.clone(),
            };
            return Err(AttachError::Taken {
                function,
                container,
                record: entry.name,
            });
        }
        let nobody = Attachment {
            network: String::new(),
            container: entry.name.clone(),
            ifname: String::new(),
        };
        end(host, theirs.as_ref().unwrap_or(&nobody), &entry, warnings)?;
    }
    Ok(())
}

/// Whether the VF of a record is in the namespace it was lent to.
fn is_out(host: &Host, entry: &Entry) -> Result<bool, AttachError> {
    let Some(record) = &entry.record else {
        return Ok(false);
    };
    let (Some(lodging), Some(function)) = (&record.lodging, record.function) else {
        return Ok(false);
    };
    let Some(netns) = find(host, lodging) else {
        return Ok(false);
    };
    if record.original.netdev.is_none() {
        // One for a virtual machine: it never moves.
        return Ok(record.done);
    }
    is_inside(host, &netns, function)
}

/// Go does not write down where a VF went: one that is not at home may be in a living container.
fn may_be_out(host: &Host, entry: &Entry, function: PciAddr) -> Result<bool, AttachError> {
    let unknown = entry
        .record
        .as_ref()
        .is_some_and(|record| record.lodging.is_none());
    if !unknown {
        return Ok(false);
    }
    let mut route = host.route()?;
    Ok(on_function::here(&mut route, host.sysfs(), function)?.is_none())
}

fn is_inside(host: &Host, netns: &Netns, function: PciAddr) -> Result<bool, AttachError> {
    Ok(on_function::inside(host, netns, function)?.is_some())
}

fn end(
    host: &Host,
    attachment: &Attachment,
    entry: &Entry,
    warnings: &mut Vec<String>,
) -> Result<(), AttachError> {
    if let Some(record) = &entry.record {
        let release = Release {
            host,
            attachment,
            record,
            netns: None,
            together: false,
        };
        let Outcome {
            failures,
            warnings: more,
            ..
        } = release.run();
        warnings.extend(more);
        if let Some(failure) = failures.into_iter().next() {
            return Err(failure);
        }
    }
    Ok(VfStore::new(host).folder().remove(&entry.name)?)
}

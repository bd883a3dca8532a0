//! Seeing to records from before: of an ADD that was killed, of a DEL that never came.

use super::error::LeaseError;
use super::give_back::restore_name;
use super::locate::{Place, Search};
use super::record::{Attachment, Phase};
use super::store::Store;
use crate::kernel::{Conn, Host, Netns, state};
use crate::rdma::device;
use crate::types::DeviceId;
use crate::wire::nldev::device::Device;

/// Where an attachment stands before its device is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has no device.
    Free,
    /// An ADD that was cut off had moved this device to this namespace; it is done now.
    Resumed,
}

/// Sees to what an attachment has on record. A record of a device that is at home, or exists no
/// more, is void and goes; the device gets its name back first.
///
/// # Errors
/// [`LeaseError::AlreadyLent`] when a device is out, except the wanted one in the wanted place
/// that nobody was told of.
pub fn own(
    host: &Host,
    home: &mut Conn,
    attachment: &Attachment,
    wanted: &DeviceId,
    netns: &Netns,
) -> Result<Standing, LeaseError> {
    let store = Store::new(host);
    for entry in store.own(attachment, Some(wanted))? {
        let Some(mut record) = entry.record else {
            store.folder().remove(&entry.name)?;
            continue;
        };
        let search = Search {
            host,
            attachment,
            device_id: record.device_id.as_ref(),
            record: Some(&record),
            netns: Some(netns),
        };
        match search.run_patiently(home)? {
            Place::Nowhere => store.folder().remove(&entry.name)?,
            Place::Home(device) => {
                if let Some(lodging) = &record.lodging
                    && lodging.is_of(&device)
                    && state::boot_id(host)?.as_deref() == Some(lodging.boot.as_str())
                {
                    restore_name(home, &device, &record.host_name)?;
                }
                store.folder().remove(&entry.name)?;
            }
            Place::Away(there, device) => {
                let cut_off = record.phase == Phase::Intent
                    && record.device_id.as_ref() == Some(wanted)
                    && there.id() == netns.id();
                if !cut_off {
                    return Err(LeaseError::AlreadyLent {
                        attachment: attachment.clone(),
                        device: record.host_name,
                        record: entry.name,
                    });
                }
                record.phase = Phase::Done;
                record.pod_name = device.name;
                store.folder().replace(&entry.name, &record.encode())?;
                return Ok(Standing::Resumed);
            }
        }
    }
    Ok(Standing::Free)
}

/// Removes every record of a device that was found at home: whoever had it has it no more. The
/// device gets the name back that the last of them noted; it is returned as it is then called.
///
/// # Errors
/// [`LeaseError`].
pub fn others(
    host: &Host,
    home: &mut Conn,
    id: &DeviceId,
    found: Device,
) -> Result<Device, LeaseError> {
    let store = Store::new(host);
    let boot = state::boot_id(host)?;
    let mut found = found;
    for entry in store.all()? {
        let Some(record) = entry.record else { continue };
        if record.device_id.as_ref() != Some(id) {
            continue;
        }
        if let Some(lodging) = &record.lodging
            && lodging.is_of(&found)
            && boot.as_deref() == Some(lodging.boot.as_str())
        {
            restore_name(home, &found, &record.host_name)?;
            found = device::with_index(home, found.index)?.unwrap_or(found);
        }
        store.folder().remove(&entry.name)?;
    }
    Ok(found)
}

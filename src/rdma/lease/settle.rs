//! Seeing to records from before: of an ADD that was killed, of a DEL that never came.

use super::error::LeaseError;
use super::give_back::{end, restore_name};
use super::locate::{Place, Search};
use super::naming;
use super::record::{Attachment, Phase, Record};
use super::store::Store;
use crate::kernel::{Conn, Host, Netns, state};
use crate::pci::device::rdma_names;
use crate::rdma::device;
use crate::types::{DeviceId, RdmaNaming};
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
    naming: &RdmaNaming,
) -> Result<Standing, LeaseError> {
    let store = Store::new(host);
    for entry in store.own(attachment, Some(wanted))? {
        let Some(mut record) = entry.record else {
            store.folder().remove(&entry.name)?;
            continue;
        };
        for view in record.each() {
            let search = Search {
                host,
                attachment,
                device_id: view.device_id.as_ref(),
                record: Some(&view),
                netns: Some(netns),
            };
            match search.run_patiently(home)? {
                Place::Nowhere => {}
                Place::Home(device) => restore(host, home, &view, &device)?,
                Place::Away(there, device) => {
                    let cut_off = record.phase == Phase::Intent
                        && record.device_id.as_ref() == Some(wanted)
                        && there.id() == netns.id();
                    if !cut_off {
                        return Err(LeaseError::AlreadyLent {
                            attachment: attachment.clone(),
                            device: view.host_name,
                            record: entry.name,
                        });
                    }
                    if view.siblings.is_empty() {
                        let named = naming::give(host, home, netns, &device, naming)?;
                        record.phase = Phase::Done;
                        record.pod_name = named.name;
                        store.folder().replace(&entry.name, &record.encode())?;
                        return Ok(Standing::Resumed);
                    }
                    // How far it came with several is not worth knowing: all begin anew.
                    end(&search, home)?;
                }
            }
        }
        store.folder().remove(&entry.name)?;
    }
    Ok(Standing::Free)
}

/// Gives a device at home the name that its record has, if it is the one that was lent.
fn restore(host: &Host, home: &mut Conn, view: &Record, device: &Device) -> Result<(), LeaseError> {
    if let Some(lodging) = &view.lodging
        && lodging.is_of(device)
        && state::boot_id(host)?.as_deref() == Some(lodging.netns.boot.as_str())
    {
        restore_name(home, device, &view.host_name)?;
    }
    Ok(())
}

/// Removes every record of a device that was found at home: whoever had it has it no more. It
/// gets the name back that the last of them noted, and so do those that were lent along with it;
/// it is returned as it is then called. A record stays while one of those is still away.
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
    for entry in store.all()? {
        let Some(record) = entry.record else { continue };
        if record.device_id.as_ref() != Some(id) {
            continue;
        }
        for view in record.each() {
            let index = view.lodging.as_ref().map(|lodging| lodging.index);
            let here = index.map(|index| device::with_index(home, index));
            if let Some(device) = here.transpose()?.flatten() {
                restore(host, home, &view, &device)?;
            }
        }
        if rdma_names(host.sysfs(), id)?.len() > record.siblings.len() {
            store.folder().remove(&entry.name)?;
        }
    }
    Ok(device::with_index(home, found.index)?.unwrap_or(found))
}

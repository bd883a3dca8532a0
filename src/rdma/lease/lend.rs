//! Lending a device: written down first, moved, looked at, and undone whole when a step fails.

use super::error::LeaseError;
use super::record::{Attachment, Lodging, Phase, Record, known_guid};
use super::store::Store;
use super::{give_back, locks, netdev};
use crate::kernel::{Conn, Host, Netns, state};
use crate::rdma::{RdmaError, device};
use crate::types::DeviceId;
use crate::wire::nldev::device::Device;

/// What is lent to whom.
pub struct Loan<'a> {
    /// Whose it becomes.
    pub attachment: &'a Attachment,
    /// What the device sits on.
    pub device_id: &'a DeviceId,
    /// The device, at home.
    pub device: &'a Device,
    /// Where it goes.
    pub netns: &'a Netns,
}

/// Lends a device. The caller holds the lock of the device and has seen to records that are void.
///
/// # Errors
/// [`LeaseError`]; the device is at home and the record gone then, except after
/// [`LeaseError::NotRolledBack`].
pub fn lend(host: &Host, home: &mut Conn, loan: &Loan<'_>) -> Result<(), LeaseError> {
    let store = Store::new(host);
    let mut record = Record {
        device_id: Some(loan.device_id.clone()),
        host_name: loan.device.name.clone(),
        pod_name: loan.device.name.clone(),
        netdev: netdev::at_home(host, loan.device_id),
        attachment: Some(loan.attachment.clone()),
        lodging: Some(Lodging {
            path: loan.netns.word().to_owned(),
            id: loan.netns.id(),
            boot: state::boot_id(host)?.ok_or(LeaseError::NoBootId)?,
            index: loan.device.index,
            node_guid: known_guid(loan.device),
        }),
        phase: Phase::Intent,
    };
    let name = store.place(loan.attachment, &record)?;
    let done = hand_over(host, home, loan.device, loan.netns).and_then(|arrived| {
        record.pod_name = arrived.name;
        record.phase = Phase::Done;
        Ok(store.folder().replace(&name, &record.encode())?)
    });
    let Err(cause) = done else { return Ok(()) };
    match take_back(host, home, loan) {
        Ok(()) => {
            // A record of a device at home is void; it is in nobody's way.
            let _ = store.folder().remove(&name);
            Err(cause)
        }
        Err(rollback) => Err(LeaseError::NotRolledBack {
            device: loan.device.name.clone(),
            cause: Box::new(cause),
            rollback: Box::new(rollback),
        }),
    }
}

/// Moves a device to a namespace, while nobody else on the node moves one, and returns it as it
/// arrived. Nothing is written down.
///
/// # Errors
/// [`LeaseError`]; after [`LeaseError::Lost`] the device is neither here nor there.
pub fn hand_over(
    host: &Host,
    home: &mut Conn,
    device: &Device,
    netns: &Netns,
) -> Result<Device, LeaseError> {
    let _lock = locks::node(host)?;
    device::move_to(home, device, netns)?;
    let found = netns.within(|| -> Result<Option<Device>, RdmaError> {
        device::with_index(&mut host.rdma()?, device.index)
    })??;
    found
        .filter(|found| known_guid(found) == known_guid(device))
        .ok_or_else(|| LeaseError::Lost {
            device: device.name.clone(),
            netns: netns.word().to_owned(),
        })
}

fn take_back(host: &Host, home: &mut Conn, loan: &Loan<'_>) -> Result<(), LeaseError> {
    let name = &loan.device.name;
    let here = match device::with_index(home, loan.device.index)? {
        Some(here) => Some(here),
        None => give_back::fetch(host, home, loan.netns, loan.device, name)?,
    };
    if let Some(here) = here {
        give_back::restore_name(home, &here, name)?;
    }
    Ok(())
}

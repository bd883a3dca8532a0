//! Lending devices: written down first, moved, named, and undone whole when a step fails.

use super::error::LeaseError;
use super::netns_mark::NetnsMark;
use super::record::{Attachment, Lodging, Phase, Record, Sibling, known_guid};
use super::store::Store;
use super::{give_back, locks, naming, netdev};
use crate::kernel::{Conn, Host, Netns, state};
use crate::rdma::device;
use crate::types::{DeviceId, RdmaNaming};
use crate::wire::nldev::device::Device;

/// What is lent to whom.
pub struct Loan<'a> {
    /// Whose it becomes.
    pub attachment: &'a Attachment,
    /// What the devices sit on.
    pub device_id: &'a DeviceId,
    /// The first device, at home.
    pub device: &'a Device,
    /// The others that sit there, at home.
    pub siblings: &'a [Device],
    /// Where they go.
    pub netns: &'a Netns,
    /// How they are to be called there.
    pub naming: &'a RdmaNaming,
}

impl Loan<'_> {
    fn devices(&self) -> impl DoubleEndedIterator<Item = &Device> {
        std::iter::once(self.device).chain(self.siblings)
    }
}

/// Lends what sits on a function, and returns the devices as they arrived, in their order. The
/// caller holds the lock of the function and has seen to records that are void.
///
/// # Errors
/// [`LeaseError`]; the devices are at home and the record gone then, except after
/// [`LeaseError::NotRolledBack`].
pub fn lend(host: &Host, home: &mut Conn, loan: &Loan<'_>) -> Result<Vec<Device>, LeaseError> {
    let store = Store::new(host);
    loan.netns.prepare(host, true, false);
    for device in loan.devices() {
        naming::require_free(host, loan.netns, device, loan.naming)?;
    }
    let boot = state::boot_id(host)?.ok_or(LeaseError::NoBootId)?;
    let mut record = Record {
        device_id: Some(loan.device_id.clone()),
        host_name: loan.device.name.clone(),
        pod_name: loan.device.name.clone(),
        netdev: netdev::at_home(host, loan.device_id),
        attachment: Some(loan.attachment.clone()),
        lodging: Some(Lodging {
            netns: NetnsMark::of(loan.netns, boot),
            index: loan.device.index,
            node_guid: known_guid(loan.device),
        }),
        phase: Phase::Intent,
        siblings: loan.siblings.iter().map(sibling).collect(),
    };
    let name = store.place(loan.attachment, &record)?;
    let lent: Result<Vec<Device>, LeaseError> = loan
        .devices()
        .map(|device| move_and_name(host, home, loan, device))
        .collect();
    let done = lent.and_then(|arrived| {
        let mut names = arrived.iter().map(|device| device.name.clone());
        record.pod_name = names.next().unwrap_or_default();
        for (sibling, name) in record.siblings.iter_mut().zip(names) {
            sibling.pod_name = name;
        }
        record.phase = Phase::Done;
        store.folder().replace(&name, &record.encode())?;
        Ok(arrived)
    });
    let cause = match done {
        Ok(arrived) => return Ok(arrived),
        Err(cause) => cause,
    };
    let mut left = Ok(());
    for device in loan.devices().rev() {
        left = left.and(take_back(host, home, loan.netns, device).map_err(|error| (device, error)));
    }
    match left {
        Ok(()) => {
            // A record of devices at home is void; it is in nobody's way.
            let _ = store.folder().remove(&name);
            Err(cause)
        }
        Err((device, rollback)) => Err(LeaseError::NotRolledBack {
            device: device.name.clone(),
            cause: Box::new(cause),
            rollback: Box::new(rollback),
        }),
    }
}

fn sibling(device: &Device) -> Sibling {
    Sibling {
        host_name: device.name.clone(),
        pod_name: device.name.clone(),
        index: device.index,
        node_guid: known_guid(device),
    }
}

fn move_and_name(
    host: &Host,
    home: &mut Conn,
    loan: &Loan<'_>,
    device: &Device,
) -> Result<Device, LeaseError> {
    let leaving = naming::make_way(host, home, loan.netns, device, loan.naming)?;
    let arrived = hand_over(host, home, &leaving, loan.netns)?;
    naming::give(host, home, loan.netns, &arrived, loan.naming)
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
    let found = netns.over_rdma(host, |conn| device::with_index(conn, device.index))??;
    found
        .filter(|found| known_guid(found) == known_guid(device))
        .ok_or_else(|| LeaseError::Lost {
            device: device.name.clone(),
            netns: netns.word().to_owned(),
        })
}

fn take_back(
    host: &Host,
    home: &mut Conn,
    netns: &Netns,
    device: &Device,
) -> Result<(), LeaseError> {
    let name = &device.name;
    let here = match device::with_index(home, device.index)? {
        Some(here) => Some(here),
        None => give_back::fetch(host, home, netns, device, name)?,
    };
    if let Some(here) = here {
        give_back::restore_name(home, &here, name)?;
    }
    Ok(())
}

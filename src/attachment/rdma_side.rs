//! The RDMA devices of a VF: into the container under the names asked for, and home under theirs.

use super::error::AttachError;
use super::name_trade;
use super::record::{RdmaDevice, VfRecord};
use crate::kernel::{Conn, Host, LockError, Netns};
use crate::rdma::lease::give_back::{self, Ending, Name};
use crate::rdma::lease::locate::Search;
use crate::rdma::lease::record::{Lodging, Record, Sibling, known_guid};
use crate::rdma::lease::{Attachment, lend, locks, naming};
use crate::rdma::{RdmaError, device};
use crate::types::{DeviceId, PciAddr, RdmaNaming};
use crate::wire::nldev::device::Device;

/// Refuses, before anything is changed, names that cannot be had for sure.
///
/// # Errors
/// [`AttachError::OneName`], [`AttachError::Lease`].
pub fn require_names(
    host: &Host,
    netns: &Netns,
    function: PciAddr,
    devices: &[Device],
    naming: &RdmaNaming,
) -> Result<(), AttachError> {
    if let (RdmaNaming::Fixed(name), 2..) = (naming, devices.len()) {
        return Err(AttachError::OneName {
            function,
            count: devices.len(),
            name: name.clone(),
        });
    }
    for device in devices {
        naming::require_free(host, netns, device, naming)?;
    }
    Ok(())
}

/// What is written down of a device at home.
pub fn recorded(device: &Device) -> RdmaDevice {
    RdmaDevice {
        host_name: device.name.clone(),
        pod_name: device.name.clone(),
        index: Some(device.index),
        node_guid: known_guid(device),
    }
}

/// What is to be written down once the driver was bound anew: other devices, in the order of the
/// ones before, whose names are the ones to give back.
pub fn recorded_anew(record: &VfRecord, devices: &[Device]) -> Vec<RdmaDevice> {
    let mut before = record.rdma_devices().map(|rdma| rdma.host_name.clone());
    let anew = devices.iter().map(|device| {
        let host_name = before.next().unwrap_or_else(|| device.name.clone());
        RdmaDevice {
            host_name,
            ..recorded(device)
        }
    });
    anew.collect()
}

/// Moves the devices into the container and names them there, in their order.
///
/// # Errors
/// [`AttachError::Lease`]; some may be in the container then.
pub fn enter(
    host: &Host,
    home: &mut Conn,
    netns: &Netns,
    devices: &[Device],
    naming: &RdmaNaming,
) -> Result<Vec<Device>, AttachError> {
    let mut arrived = Vec::with_capacity(devices.len());
    for device in devices {
        let leaving = naming::make_way(host, home, netns, device, naming)?;
        let there = lend::hand_over(host, home, &leaving, netns)?;
        arrived.push(naming::give(host, home, netns, &there, naming)?);
    }
    Ok(arrived)
}

/// Brings the devices of a record home, the first one first: IPoIB makes their interfaces in that
/// order. What an operator should know is returned.
///
/// # Errors
/// The first [`AttachError`], after the others were tried.
pub fn leave(
    host: &Host,
    attachment: &Attachment,
    record: &VfRecord,
    netns: Option<&Netns>,
) -> Result<Vec<String>, AttachError> {
    let mut home = match host.rdma().map_err(RdmaError::from) {
        Ok(home) => home,
        // No device can be away.
        Err(RdmaError::NoRdma) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let id = record.function.map(DeviceId::Pci);
    let lease = as_lease(attachment, record);
    let whole = Search {
        host,
        attachment,
        device_id: id.as_ref(),
        record: Some(&lease),
        netns,
    };
    let mut first = Ok(());
    let mut ended = Vec::new();
    if lease.siblings.is_empty() {
        // Where no record says which devices are in the container, all that are there come home.
        match give_back::end_each(&whole, &mut home) {
            Ok(all) => ended = all,
            Err(error) => first = Err(error),
        }
    } else {
        for view in lease.each() {
            let one = Search {
                record: Some(&view),
                ..whole
            };
            match give_back::end(&one, &mut home) {
                Ok(ending) => ended.push((view.host_name.clone(), ending)),
                Err(error) => first = first.and(Err(error)),
            }
        }
    }
    let mut warnings = Vec::new();
    for (name, ending) in ended {
        let (Ending::WasHome(Name::Kept(kept))
        | Ending::Fetched {
            name: Name::Kept(kept),
            ..
        }) = ending
        else {
            continue;
        };
        if let Name::Kept(kept) = again(host, &mut home, record.function, (&kept, &name))? {
            warnings.push(format!(
                "{name} is now called {kept}: its name belongs to another device"
            ));
        }
    }
    first?;
    Ok(warnings)
}

/// A driver that is bound anew has a name for a moment that is not its own: while nobody else
/// binds one the name may be free again, or can be had.
fn again(
    host: &Host,
    home: &mut Conn,
    function: Option<PciAddr>,
    (now, name): (&str, &str),
) -> Result<Name, AttachError> {
    let lock = locks::node(host);
    if let Err(error @ LockError::Busy { .. }) = lock {
        return Err(error.into());
    }
    let device = device::find_shown(home, now)?;
    let restored = give_back::restore_name(home, &device, name)?;
    if let (Name::Kept(_), Some(function)) = (&restored, function)
        && name_trade::clear(host, home, function, name)?.is_some()
    {
        return Ok(give_back::restore_name(home, &device, name)?);
    }
    Ok(restored)
}

/// The record in the words of the `rdma` plugin.
pub fn as_lease(attachment: &Attachment, record: &VfRecord) -> Record {
    let rdma = record.rdma.as_ref();
    let lodging = || {
        let lodging = record.lodging.as_ref()?;
        Some(Lodging {
            netns: lodging.netns.clone(),
            index: rdma?.index?,
            node_guid: rdma?.node_guid,
        })
    };
    let siblings = record.siblings.iter().filter_map(|sibling| {
        Some(Sibling {
            host_name: sibling.host_name.clone(),
            pod_name: sibling.pod_name.clone(),
            index: sibling.index?,
            node_guid: sibling.node_guid,
        })
    });
    Record {
        device_id: record.function.map(DeviceId::Pci),
        host_name: rdma.map(|rdma| rdma.host_name.clone()).unwrap_or_default(),
        pod_name: rdma.map(|rdma| rdma.pod_name.clone()).unwrap_or_default(),
        // The interface of a VF is seen to by the record of the VF.
        netdev: None,
        siblings: siblings.collect(),
        attachment: Some(attachment.clone()),
        lodging: lodging(),
        phase: record.phase(),
    }
}

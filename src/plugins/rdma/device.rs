//! Which device is meant, and the RDMA device that sits on it.

use super::config::Settings;
use crate::cni::prev_result::PrevResult;
use crate::cni::{Code, Failure};
use crate::kernel::{Conn, Host, state};
use crate::pci::device::{Presence, presence, rdma_names};
use crate::plugins::fault;
use crate::rdma::lease::{Attachment, Store, locate};
use crate::rdma::{self, RdmaError};
use crate::sriov::vf_mac::vfs_with_mac;
use crate::types::{DeviceId, Mac};
use crate::wire::nldev::device::Device;

/// The device that the configuration names, or else the VF whose address is that of the one
/// interface that the plugin before made.
///
/// # Errors
/// Code 7 when nothing names one, 101 when no VF has the address.
pub fn wanted(
    host: &Host,
    settings: &Settings,
    prev: Option<&PrevResult<'_>>,
) -> Result<DeviceId, Failure> {
    if !settings.device.is_empty() {
        return settings.device.parse().map_err(|error| {
            let device = &settings.device;
            let msg = format!("failed to get RDMA device for device ID {device}: {error}");
            Failure::new(Code::INVALID_CONFIG, msg)
                .details("the device plugin's resource gives it; in a file, set deviceID")
        });
    }
    let interfaces = prev
        .map(|prev| prev.interfaces.as_slice())
        .unwrap_or_default();
    let [interface] = interfaces else {
        return Err(Failure::new(
            Code::INVALID_CONFIG,
            "\"DeviceID\" network configuration attribute is required for rdma CNI",
        )
        .details(format!(
            "prevResult has {} interfaces; only with exactly one can its VF be found by its address",
            interfaces.len()
        )));
    };
    of_mac(host, &interface.mac)
}

fn of_mac(host: &Host, text: &str) -> Result<DeviceId, Failure> {
    let fail = |cause: &str| {
        let msg = format!("failed to derive PCI device ID from mac {text:?}. {cause}");
        Failure::new(fault::DEVICE_NOT_FOUND, msg).details(
            "set deviceID, or give the VF the address of the interface: ip link set PF vf N mac ADDRESS",
        )
    };
    const NONE: &str =
        "could not find VF PCI device according to administrative mac address set on PF";
    let mac: Mac = text.parse().map_err(|_| fail(NONE))?;
    // Every VF that was given no address has the zero one.
    if mac.is_zero() {
        return Err(fail(NONE));
    }
    let found = vfs_with_mac(host, mac).map_err(|error| fault::vf_mac(&error))?;
    match found.as_slice() {
        [] => Err(fail(NONE)),
        [address] => Ok(DeviceId::Pci(*address)),
        _ => Err(fail(
            "found more than one VF PCI device matching provided administrative mac address",
        )),
    }
}

/// The RDMA devices that sit on `id`, at home: one, or with several ports behind a function more,
/// by index.
///
/// # Errors
/// Code 101 when there is none; 102 when a container has one.
pub fn at_home(
    host: &Host,
    home: &mut Conn,
    id: &DeviceId,
    attachment: &Attachment,
) -> Result<Vec<Device>, Failure> {
    let sysfs = |error| fault::sysfs(&error);
    let count = on_record(host, id)?;
    let mut names = rdma_names(host.sysfs(), id).map_err(sysfs)?;
    if names.len() < count {
        if let Some(failure) = taken(host, id, attachment) {
            return Err(failure);
        }
        // The container before may just have ended.
        names = locate::await_home(host, id, count).map_err(sysfs)?;
    }
    if names.is_empty() {
        return Err(nowhere(host, id, attachment));
    }
    let found = rdma::numbered::shown(host, home, &names).map_err(|error| fault::rdma(&error))?;
    match names.first() {
        Some(name) if found.is_empty() => {
            Err(fault::rdma(&RdmaError::NoSuchDevice { name: name.clone() }))
        }
        _ => Ok(found),
    }
}

/// How many devices of `id` there are at least, by what is on record in this boot.
fn on_record(host: &Host, id: &DeviceId) -> Result<usize, Failure> {
    let boot = state::boot_id(host).map_err(|error| fault::file(&error))?;
    let entries = Store::new(host).all();
    let entries = entries.map_err(|error| fault::file(&error))?.into_iter();
    let counts = entries.filter_map(|entry| {
        let record = entry.record?;
        let is_now = record.lodging.as_ref().map(|lodging| &lodging.netns.boot) == boot.as_ref();
        let is_of = record.device_id.as_ref() == Some(id) && is_now;
        is_of.then(|| 1 + record.siblings.len())
    });
    Ok(counts.max().unwrap_or(1))
}

fn none_found(id: &DeviceId) -> String {
    format!("failed to get RDMA device for device ID {id}: no RDMA devices found")
}

/// Who has the device, if it is seen in another namespace.
fn taken(host: &Host, id: &DeviceId, attachment: &Attachment) -> Option<Failure> {
    let (place, path, name) = locate::outside(host, id)?;
    let cure = owner(host, id, attachment).unwrap_or_else(|| {
        format!("nobody has it on record; nsenter --net={path} rdmactl dev set {name} netns 1 brings it home")
    });
    let details = format!("it has {name}, which is in network namespace {place}: {cure}");
    Some(Failure::new(fault::DEVICE_IN_USE, none_found(id)).details(details))
}

/// Who else has it on record.
fn owner(host: &Host, id: &DeviceId, attachment: &Attachment) -> Option<String> {
    let claims = Store::new(host).claims(id, Some(attachment)).ok()?;
    let claim = claims.into_iter().next()?;
    let container = claim.container.map(|id| format!("container {id}, "));
    Some(format!(
        "{}record {}, has it; DEL of that container brings it home",
        container.unwrap_or_default(),
        claim.record
    ))
}

fn nowhere(host: &Host, id: &DeviceId, attachment: &Attachment) -> Failure {
    match owner(host, id, attachment) {
        Some(owner) => Failure::new(fault::DEVICE_IN_USE, none_found(id)).details(owner),
        None => Failure::new(fault::DEVICE_NOT_FOUND, none_found(id)).details(reason(host, id)),
    }
}

/// Which of the many reasons it is that a device has no RDMA device.
fn reason(host: &Host, id: &DeviceId) -> String {
    match presence(host.sysfs(), id) {
        Err(error) => fault::chain(&error),
        Ok(Presence::Absent) => {
            format!("there is no device {id} in /sys/bus/{{pci,auxiliary}}/devices")
        }
        Ok(Presence::Unbound) => {
            format!("no driver is bound to {id}: echo {id} > /sys/bus/pci/drivers_probe")
        }
        Ok(Presence::Bound(driver)) if driver == "vfio-pci" => {
            format!("{id} is bound to vfio-pci, which has no RDMA devices")
        }
        Ok(Presence::Bound(driver)) => format!(
            "{id} is bound to {driver} and has no RDMA device: is RDMA switched off for it (devlink dev param show), or does only an open file keep the namespace it is in?"
        ),
    }
}

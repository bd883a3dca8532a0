//! Which device is meant, and the RDMA device that sits on it.

use super::config::Settings;
use crate::cni::prev_result::PrevResult;
use crate::cni::{Code, Failure};
use crate::kernel::{Conn, Host};
use crate::pci::device::{Presence, presence, rdma_names};
use crate::plugins::fault;
use crate::rdma;
use crate::rdma::lease::{Attachment, Store, locate};
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
            "set deviceID, or give the VF the address of the interface: rdmactl vf set VF mac ADDRESS",
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

/// The one RDMA device that sits on `id`, at home.
///
/// # Errors
/// Code 101, 102 when a container has it, 2 when there are several.
pub fn at_home(
    host: &Host,
    home: &mut Conn,
    id: &DeviceId,
    attachment: &Attachment,
) -> Result<Device, Failure> {
    let names = rdma_names(host.sysfs(), id).map_err(|error| fault::sysfs(&error))?;
    match names.as_slice() {
        [name] => rdma::device::find(home, name).map_err(|error| fault::rdma(&error)),
        [] => Err(missing(host, id, attachment)),
        _ => Err(Failure::new(
            fault::DEVICE_NOT_FOUND,
            format!(
                "failed to get RDMA device for device ID {id}: discovered more than one RDMA device [{}]. Unsupported state",
                names.join(" ")
            ),
        )
        .details("a function with several RDMA devices cannot be moved as one yet")),
    }
}

/// "No RDMA devices found", and which of the many reasons it is.
fn missing(host: &Host, id: &DeviceId, attachment: &Attachment) -> Failure {
    let msg = format!("failed to get RDMA device for device ID {id}: no RDMA devices found");
    let not_found = |details: String| Failure::new(fault::DEVICE_NOT_FOUND, &msg).details(details);
    match presence(host.sysfs(), id) {
        Err(error) => return not_found(fault::chain(&error)),
        Ok(Presence::Absent) => {
            return not_found(format!(
                "there is no device {id} in /sys: rdmactl topology lists them"
            ));
        }
        Ok(Presence::Unbound) => {
            return not_found(format!("no driver is bound to {id}: rdmactl vf bind {id}"));
        }
        Ok(Presence::Bound(driver)) if driver == "vfio-pci" => {
            return not_found(format!(
                "{id} is bound to vfio-pci, which has no RDMA devices"
            ));
        }
        Ok(Presence::Bound(_)) => {}
    }
    let in_use = |details: String| Failure::new(fault::DEVICE_IN_USE, &msg).details(details);
    if let Some((place, name)) = locate::outside(host, id) {
        return in_use(format!(
            "it has {name}, which is in network namespace {place}: bring it home with rdmactl dev reclaim {name}"
        ));
    }
    let claims = Store::new(host).claims(id, Some(attachment));
    if let Some(claim) = claims.ok().and_then(|claims| claims.into_iter().next()) {
        let who = claim.container.map(|id| format!("container {id}, "));
        return in_use(format!(
            "{}record {}, has it; DEL of that container, or rdmactl cni gc, frees it",
            who.unwrap_or_default(),
            claim.record
        ));
    }
    not_found(format!(
        "{id} has a driver and no RDMA device: is RDMA switched off (devlink dev param), or is it in a namespace without process or name?"
    ))
}

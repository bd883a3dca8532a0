//! Devices: list, find, rename, move, adaptive moderation, sub-devices.

use nix::errno::Errno;
use std::os::fd::AsFd;

use super::error::{RdmaError, too_old_or};
use super::system;
use crate::kernel::{Conn, NetlinkError, Netns};
use crate::types::{NetnsMode, RdmaName};
use crate::wire::nldev::device::{self as wire, Device};
use crate::wire::nldev::op;

/// Every device visible in the connection's namespace, in the kernel's order.
///
/// # Errors
/// [`RdmaError::Netlink`].
pub fn list(conn: &mut Conn) -> Result<Vec<Device>, RdmaError> {
    Ok(conn.list(&wire::dump(), Device::decode)?)
}

/// As [`list`], but of each device its index, name and last port alone: what it takes to ask on.
///
/// # Errors
/// [`RdmaError::Netlink`].
pub fn addresses(conn: &mut Conn) -> Result<Vec<Device>, RdmaError> {
    Ok(conn.list(&wire::dump(), Device::decode_address)?)
}

/// The device with exactly this name.
///
/// # Errors
/// [`RdmaError::NoSuchDevice`] and those of [`list`].
pub fn find(conn: &mut Conn, name: &str) -> Result<Device, RdmaError> {
    named(conn, name)?
        .into_iter()
        .find(|device| device.name == name)
        .ok_or_else(|| RdmaError::NoSuchDevice {
            name: name.to_owned(),
        })
}

/// The devices among which `word` names one, alone or with a port behind it (`DEV/PORT`).
///
/// The kernel has no look-up by name, so all are listed; but the commands of a batch are about the
/// same devices over and over, and one that still has its name is asked for alone.
///
/// # Errors
/// [`RdmaError::Netlink`].
pub fn named(conn: &mut Conn, word: &str) -> Result<Vec<Device>, RdmaError> {
    let device = word.rsplit_once('/').map(|(device, _)| device);
    for name in [Some(word), device].into_iter().flatten() {
        if let Some(index) = conn.index_of(name)
            && let Some(device) = with_index(conn, index)?
            && device.name == name
        {
            return Ok(vec![device]);
        }
    }
    let devices = list(conn)?;
    let names = devices.iter().map(|each| (each.name.clone(), each.index));
    conn.keep_indexes(names);
    Ok(devices)
}

/// How often a listing is asked for that never comes out the same twice.
const MOST_LISTINGS: u32 = 16;

/// The devices of these names, which sysfs shows. One that is not listed is looked for again: the
/// kernel goes on with a listing by the number of devices it has told of, and leaves one out when
/// another one goes meanwhile (`ib_enum_all_devs`, `drivers/infiniband/core/device.c`). Two
/// listings of the same devices are believed.
///
/// # Errors
/// Those of [`list`].
pub fn shown(conn: &mut Conn, names: &[String]) -> Result<Vec<Device>, RdmaError> {
    let mut devices = all_with(conn, names)?;
    devices.retain(|device| names.contains(&device.name));
    Ok(devices)
}

/// As [`shown`], and all that were listed with them.
///
/// # Errors
/// Those of [`list`].
pub fn all_with(conn: &mut Conn, names: &[String]) -> Result<Vec<Device>, RdmaError> {
    let mut before = None;
    let mut listings = 0;
    loop {
        let devices = list(conn)?;
        listings += 1;
        let indexes: Vec<u32> = devices.iter().map(|device| device.index).collect();
        let found = devices.iter().filter(|device| names.contains(&device.name));
        let is_sure = found.count() >= names.len() || before.as_ref() == Some(&indexes);
        if is_sure || listings == MOST_LISTINGS {
            return Ok(devices);
        }
        before = Some(indexes);
    }
}

/// As [`find`], for a device that sysfs shows.
///
/// # Errors
/// As [`find`].
pub fn find_shown(conn: &mut Conn, name: &str) -> Result<Device, RdmaError> {
    let name = name.to_owned();
    let found = shown(conn, std::slice::from_ref(&name))?;
    let first = found.into_iter().next();
    first.ok_or(RdmaError::NoSuchDevice { name })
}

/// The device with this index, if it is visible in the connection's namespace.
///
/// # Errors
/// [`RdmaError::Netlink`].
pub fn with_index(conn: &mut Conn, index: u32) -> Result<Option<Device>, RdmaError> {
    match conn.get(&wire::get(index), Device::decode) {
        Ok(device) => Ok(Some(device)),
        // nldev answers EINVAL for an index it cannot see from here (nldev_get_doit).
        Err(error) if error.errno() == Some(Errno::EINVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Renames a device and reads the name back.
///
/// # Errors
/// [`RdmaError::NameTaken`], [`RdmaError::Gone`], [`RdmaError::NotPermitted`],
/// [`RdmaError::NotDone`].
pub fn rename(conn: &mut Conn, device: &Device, name: &RdmaName) -> Result<(), RdmaError> {
    set_name(conn, device, name)?;
    match with_index(conn, device.index)? {
        Some(now) if now.name == name.as_str() => Ok(()),
        Some(_) => Err(RdmaError::NotDone {
            what: renaming(device, name),
        }),
        None => Err(RdmaError::Gone {
            device: device.name.clone(),
        }),
    }
}

/// Renames a device, and leaves it to the caller to list the names of all when they are done.
///
/// # Errors
/// As [`rename`], [`RdmaError::NotDone`] apart.
pub fn set_name(conn: &mut Conn, device: &Device, name: &RdmaName) -> Result<(), RdmaError> {
    match conn.change(&wire::rename(device.index, name)) {
        Ok(()) => Ok(()),
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::EEXIST => {
            Err(RdmaError::NameTaken {
                name: name.to_string(),
                refusal,
            })
        }
        Err(other) => Err(gone_or_refused(
            conn,
            other,
            device,
            renaming(device, name),
        )?),
    }
}

fn renaming(device: &Device, name: &RdmaName) -> String {
    format!("rename {} to {name}", device.name)
}

/// Moves a device out of the calling thread's namespace, which must be the connection's, and
/// checks that it left. Everything that used it loses it; index, name and GUIDs stay.
///
/// # Errors
/// [`RdmaError::SharedMode`], [`RdmaError::NotMovable`], [`RdmaError::NameTaken`] (Linux 7.3, in
/// the target), [`RdmaError::Gone`], [`RdmaError::NotPermitted`], [`RdmaError::NotDone`].
pub fn move_to(conn: &mut Conn, device: &Device, target: &Netns) -> Result<(), RdmaError> {
    let what = || {
        format!(
            "move {} to network namespace {}",
            device.name,
            target.word()
        )
    };
    if let Err(error) = conn.change(&wire::move_to(device.index, target.as_fd())) {
        return Err(match error {
            NetlinkError::Refused(refusal) if refusal.errno == Errno::EOPNOTSUPP => {
                match system::get(conn)?.netns_mode() {
                    Some(NetnsMode::Shared) => RdmaError::SharedMode {
                        device: device.name.clone(),
                        refusal,
                    },
                    _ => RdmaError::NotMovable {
                        device: device.name.clone(),
                        refusal,
                    },
                }
            }
            NetlinkError::Refused(refusal) if refusal.errno == Errno::EEXIST => {
                RdmaError::NameTaken {
                    name: device.name.clone(),
                    refusal,
                }
            }
            NetlinkError::Refused(refusal) if refusal.errno == Errno::ENODEV => RdmaError::Gone {
                device: device.name.clone(),
            },
            other => gone_or_refused(conn, other, device, what())?,
        });
    }
    // Kernels before 7.3 ignore the namespace when another attribute is set too; never assume.
    match with_index(conn, device.index)? {
        None => Ok(()),
        Some(_) => Err(RdmaError::NotDone { what: what() }),
    }
}

/// Switches adaptive moderation and reads it back.
///
/// # Errors
/// [`RdmaError::Gone`], [`RdmaError::NotPermitted`], [`RdmaError::NotDone`].
pub fn set_adaptive_moderation(
    conn: &mut Conn,
    device: &Device,
    on: bool,
) -> Result<(), RdmaError> {
    let what = || format!("switch adaptive moderation of {}", device.name);
    if let Err(error) = conn.change(&wire::set_dim(device.index, on)) {
        return Err(gone_or_refused(conn, error, device, what())?);
    }
    match with_index(conn, device.index)? {
        Some(now) if now.dim.is_none_or(|dim| (dim != 0) == on) => Ok(()),
        Some(_) => Err(RdmaError::NotDone { what: what() }),
        None => Err(RdmaError::Gone {
            device: device.name.clone(),
        }),
    }
}

/// Adds an SMI sub-device to `parent`.
///
/// # Errors
/// [`RdmaError::NameTaken`], [`RdmaError::TooOld`] before 6.11, [`RdmaError::Refused`] with
/// EOPNOTSUPP when the driver has no sub-devices.
pub fn add_smi(conn: &mut Conn, parent: &Device, name: &RdmaName) -> Result<(), RdmaError> {
    let what = || format!("add sub-device {name} to {}", parent.name);
    match conn.change(&wire::add_smi(parent.index, name)) {
        Err(NetlinkError::Refused(refusal))
            if matches!(refusal.errno, Errno::EEXIST | Errno::ENFILE) =>
        {
            Err(RdmaError::NameTaken {
                name: name.to_string(),
                refusal,
            })
        }
        Err(error) => Err(gone_or_too_old(conn, error, parent, op::NEWDEV, what())?),
        Ok(()) => Ok(()),
    }
}

/// Removes a sub-device.
///
/// # Errors
/// [`RdmaError::TooOld`] before 6.11, [`RdmaError::Refused`] with EOPNOTSUPP when it is none.
pub fn delete(conn: &mut Conn, device: &Device) -> Result<(), RdmaError> {
    let what = || format!("delete sub-device {}", device.name);
    match conn.change(&wire::delete(device.index)) {
        Err(error) => Err(gone_or_too_old(conn, error, device, op::DELDEV, what())?),
        Ok(()) => Ok(()),
    }
}

/// EINVAL also means "not visible here any more".
fn is_gone(conn: &mut Conn, error: &NetlinkError, device: &Device) -> Result<bool, RdmaError> {
    Ok(error.errno() == Some(Errno::EINVAL) && with_index(conn, device.index)?.is_none())
}

fn gone_or_refused(
    conn: &mut Conn,
    error: NetlinkError,
    device: &Device,
    what: String,
) -> Result<RdmaError, RdmaError> {
    if is_gone(conn, &error, device)? {
        return Ok(RdmaError::Gone {
            device: device.name.clone(),
        });
    }
    Ok(RdmaError::refused(error, what))
}

fn gone_or_too_old(
    conn: &mut Conn,
    error: NetlinkError,
    device: &Device,
    op: u16,
    what: String,
) -> Result<RdmaError, RdmaError> {
    if is_gone(conn, &error, device)? {
        return Ok(RdmaError::Gone {
            device: device.name.clone(),
        });
    }
    too_old_or(conn, error, (op, "6.11"), what)
}

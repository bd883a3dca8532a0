//! The two locks of a lease: one per device, and the short one of the whole node.

use std::time::Duration;

use super::record::Attachment;
use crate::kernel::lock::{Lifetime, Patience};
use crate::kernel::{Host, Lock, LockError};
use crate::types::{DeviceId, Guid};

/// How long a device is waited for: whoever has it moves one device and writes one file.
pub const DEVICE_LIMIT: Duration = Duration::from_secs(10);
/// How long the node is waited for: Go's `ib-sriov` keeps it while an IPAM plugin runs. Where many
/// pods start at once, each waits for all before it, and runtimes give up after some minutes.
pub const NODE_LIMIT: Patience = Patience {
    with_one: Duration::from_secs(30),
    in_all: Duration::from_secs(240),
};

/// The file that Go's `ib-sriov` locks around its whole work.
pub(in crate::rdma) const NODE: &str = "/var/run/cni/ib-sriov/cni.lock";
/// There while somebody waits for it; who shares it stands behind him.
const TURN: &str = "/run/rdmactl/node.turn";
const DEVICES: &str = "/run/rdmactl/device";
const NAMES: &str = "/run/rdmactl/names.lock";
const ADDING: &str = "/run/rdmactl/adding";
const GUIDS: &str = "/run/rdmactl/guid";

/// Keeps everybody else from working on one device.
///
/// # Errors
/// [`LockError`].
pub fn device(host: &Host, id: &DeviceId) -> Result<Lock, LockError> {
    Lock::acquire(host, &device_path(id), DEVICE_LIMIT, Lifetime::Removed)
}

/// Removes what a killed ADD left of [`device()`], where nothing of it is on record and nobody works on the device.
pub fn clear_device(host: &Host, id: &DeviceId) {
    Lock::clear(host, &device_path(id));
}

fn device_path(id: &DeviceId) -> String {
    format!("{DEVICES}/{id}.lock")
}

/// Tells that an ADD of this attachment is under way, as long as its process lives. `limit` is how
/// long to wait for one that is.
///
/// # Errors
/// [`LockError`].
pub fn adding(host: &Host, attachment: &Attachment, limit: Duration) -> Result<Lock, LockError> {
    Lock::acquire(host, &adding_path(attachment), limit, Lifetime::Removed)
}

fn adding_path(attachment: &Attachment) -> String {
    format!("{ADDING}/{}.lock", attachment.hashed_name("", 0))
}

/// Removes what a killed ADD of this attachment left of [`adding`]: its container never comes again.
pub fn clear_adding(host: &Host, attachment: &Attachment) {
    Lock::clear(host, &adding_path(attachment));
}

/// Keeps everybody else from giving this GUID to a VF, from the look at who has it until it is set.
///
/// # Errors
/// [`LockError`].
pub fn guid(host: &Host, guid: Guid) -> Result<Lock, LockError> {
    Lock::acquire(host, &guid_path(guid), DEVICE_LIMIT, Lifetime::Removed)
}

fn guid_path(guid: Guid) -> String {
    format!("{GUIDS}/{:016x}.lock", guid.value())
}

/// Removes what a killed ADD left of [`guid()`].
pub fn clear_guid(host: &Host, guid: Guid) {
    Lock::clear(host, &guid_path(guid));
}

/// Keeps everybody else from giving interfaces at home their names back.
///
/// # Errors
/// [`LockError`].
pub fn names(host: &Host) -> Result<Lock, LockError> {
    Lock::acquire(host, NAMES, NODE_LIMIT, Lifetime::Removed)
}

/// Removes what a killed DEL left of [`names()`].
pub fn clear_names(host: &Host) {
    Lock::clear(host, NAMES);
}

/// Removes the files of locks that nobody has any more.
pub fn sweep(host: &Host) {
    for folder in [DEVICES, ADDING, GUIDS] {
        Lock::clear_all(host, folder);
    }
    Lock::clear(host, TURN);
    clear_names(host);
}

/// Keeps everybody else on the node from moving a device: a move renumbers character devices.
///
/// # Errors
/// [`LockError`].
pub fn node(host: &Host) -> Result<Lock, LockError> {
    Lock::acquire_in_turn(host, NODE, TURN, NODE_LIMIT, Lifetime::Kept)
}

/// As [`node`], but together with others to whom it does not matter either which numbers the
/// kernel gives; whoever minds waits until they are done, and no others after him begin.
///
/// # Errors
/// [`LockError`].
pub fn node_shared(host: &Host) -> Result<Lock, LockError> {
    Lock::share_in_turn(host, NODE, TURN, NODE_LIMIT)
}

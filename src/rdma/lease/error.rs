//! `LeaseError`: why a device could not be lent, or not be had back.

use super::holder::Holder;
use super::record::Attachment;
use crate::kernel::netns::NetnsError;
use crate::kernel::{FileError, LockError, SysfsError};
use crate::rdma::RdmaError;
use crate::types::{RdmaName, RdmaNamePattern};

/// Why an operation on a lease did not happen.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The kernel refused, or could not be asked.
    #[error(transparent)]
    Rdma(#[from] RdmaError),
    /// The namespace cannot be opened or entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// Somebody else works on the device or on the node.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A record cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// sysfs cannot be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
    /// The attachment has a device already, and it is out.
    #[error("attachment {} of container {} already has RDMA device {device} (record {record})",
        .attachment.ifname, .attachment.container)]
    AlreadyLent {
        /// Whose.
        attachment: Attachment,
        /// The device, by the name it has at home.
        device: String,
        /// The name of the record.
        record: String,
    },
    /// No file name is free for the record.
    #[error("every file name for the record of {} of container {} is taken by another attachment",
        .attachment.ifname, .attachment.container)]
    NoName {
        /// Whose.
        attachment: Attachment,
    },
    /// `/proc` does not say which boot this is.
    #[error("cannot read the boot id below /proc/sys/kernel/random")]
    NoBootId,
    /// The device left and did not arrive.
    #[error("RDMA device \"{device}\" was moved to {netns} and is not there")]
    Lost {
        /// The device.
        device: String,
        /// The namespace.
        netns: String,
    },
    /// Another device has the name that was asked for.
    #[error("the RDMA device cannot be called {name} there: {holder} has that name")]
    NameTaken {
        /// The name.
        name: RdmaName,
        /// Whose it is.
        holder: Holder,
    },
    /// Every name of a pattern is another device's.
    #[error("every RDMA device name of the pattern {pattern} is taken")]
    NoFreeName {
        /// The pattern.
        pattern: RdmaNamePattern,
    },
    /// It exists, is in no namespace that can be found, and did not come home.
    #[error(
        "RDMA device \"{device}\" is in a network namespace that cannot be found, and did not come home"
    )]
    NotHome {
        /// The device.
        device: String,
    },
    /// Something failed after the move, and the device could not be taken back.
    #[error("{cause}; then RDMA device \"{device}\" could not be taken back: {rollback}")]
    NotRolledBack {
        /// The device.
        device: String,
        /// What failed first.
        cause: Box<LeaseError>,
        /// What failed then.
        rollback: Box<LeaseError>,
    },
}

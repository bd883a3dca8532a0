//! `NetdevError`: why an interface could not be found or changed.

use nix::errno::Errno;

use crate::kernel::netns::NetnsError;
use crate::kernel::{NetlinkError, Refusal, SysfsError};

/// Why an operation on an interface did not happen.
#[derive(Debug, thiserror::Error)]
pub enum NetdevError {
    /// There is no such interface, or not any more.
    #[error("there is no network interface {name}")]
    Gone {
        /// Its name, or `with index N`.
        name: String,
    },
    /// Another interface has the name.
    #[error("cannot call network interface {name} {wanted}: another interface has that name")]
    NameTaken {
        /// The interface.
        name: String,
        /// The name it should get.
        wanted: String,
    },
    /// It was moved, and did not get its name there.
    #[error("network interface {name} was moved to {netns}, where another has the name {wanted}")]
    Misnamed {
        /// The interface.
        name: String,
        /// The name it should get.
        wanted: String,
        /// Where it is now.
        netns: String,
    },
    /// The kernel says no.
    #[error("cannot {what}: {}", .refusal.message.as_deref().unwrap_or_else(|| .refusal.errno.desc()))]
    Refused {
        /// What was tried, as `move ib0 to network namespace x`.
        what: String,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// The kernel said yes, and nothing changed.
    #[error("cannot {what}: the kernel accepted it and did nothing")]
    NotDone {
        /// What was tried.
        what: String,
    },
    /// Another node on the network has the address.
    #[error("address {address} of network interface {name} belongs to another node already")]
    Duplicate {
        /// The interface.
        name: String,
        /// The address.
        address: String,
    },
    /// The namespace cannot be opened or entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The kernel could not be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// sysfs could not be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
}

/// What an answer of rtnetlink means for the interface called `name`.
pub(super) fn refused(
    error: NetlinkError,
    name: &str,
    what: impl FnOnce() -> String,
) -> NetdevError {
    match error {
        NetlinkError::Refused(refusal) if refusal.errno == Errno::ENODEV => NetdevError::Gone {
            name: name.to_owned(),
        },
        NetlinkError::Refused(refusal) => NetdevError::Refused {
            what: what(),
            refusal,
        },
        error => NetdevError::Netlink(error),
    }
}

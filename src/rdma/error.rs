//! `RdmaError`: the kernel's errnos turned, once, into what they mean here.

use nix::errno::Errno;

use super::statistic::StatisticError;
use crate::kernel::{Conn, NetlinkError, Refusal};
use crate::types::NetnsMode;
use crate::wire::nldev::attr_ids::RDMA_NLDEV_ATTR_DEV_INDEX;
use crate::wire::nldev::message_type;

/// Why an operation on the RDMA subsystem did not happen.
///
/// The refusal a variant carries is the kernel's own answer, for the line that iproute2 prints.
#[derive(Debug, thiserror::Error)]
pub enum RdmaError {
    /// The kernel has no RDMA subsystem, or could not load it.
    #[error("this kernel has no RDMA subsystem (module ib_core)")]
    NoRdma,
    /// No device of that name is visible in this namespace.
    #[error("no RDMA device \"{name}\" in this network namespace")]
    NoSuchDevice {
        /// The name that was looked for.
        name: String,
    },
    /// The device has no such port.
    #[error("RDMA device \"{device}\" has no port {port}")]
    NoSuchPort {
        /// The device.
        device: String,
        /// The port that was asked for.
        port: u32,
    },
    /// A command about counters failed in a way of its own.
    #[error(transparent)]
    Statistic(#[from] StatisticError),
    /// The device went away while it was worked on.
    #[error("RDMA device \"{device}\" disappeared or was moved meanwhile")]
    Gone {
        /// The device.
        device: String,
    },
    /// Another device has the name: ENFILE when a device is made, EEXIST on a rename or a move.
    #[error("the RDMA device name \"{name}\" is already taken")]
    NameTaken {
        /// The name.
        name: String,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// A move was asked for in shared mode.
    #[error("RDMA device \"{device}\" cannot be moved: the RDMA subsystem is in shared mode")]
    SharedMode {
        /// The device.
        device: String,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// The driver cannot take a device away from its users, so the kernel will not move it.
    #[error("RDMA device \"{device}\" cannot be moved: its driver cannot disassociate users")]
    NotMovable {
        /// The device.
        device: String,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// The mode can only change while no other network namespace exists.
    #[error("other network namespaces exist")]
    NamespacesExist {
        /// The mode that was wanted.
        wanted: NetnsMode,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// CAP_NET_ADMIN in the initial user namespace is missing, or in that of the target.
    #[error("not permitted to {what}")]
    NotPermitted {
        /// What was to be done.
        what: String,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// The kernel does not know the command.
    #[error("this kernel cannot {what}: Linux {since} or later is needed")]
    TooOld {
        /// What was to be done.
        what: String,
        /// The first kernel that can.
        since: &'static str,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// The kernel acknowledged a change that is not there when read back.
    #[error("the kernel acknowledged to {what}, but it did not happen")]
    NotDone {
        /// What was to be done.
        what: String,
    },
    /// Any other refusal.
    #[error("the kernel refused to {what}: {}", .refusal.errno.desc())]
    Refused {
        /// What was to be done.
        what: String,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// The conversation with the kernel failed.
    #[error(transparent)]
    Netlink(NetlinkError),
}

impl RdmaError {
    /// The kernel's answer, where one is behind the error.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::NameTaken { refusal, .. }
            | Self::SharedMode { refusal, .. }
            | Self::NotMovable { refusal, .. }
            | Self::NamespacesExist { refusal, .. }
            | Self::NotPermitted { refusal, .. }
            | Self::TooOld { refusal, .. }
            | Self::Refused { refusal, .. }
            | Self::Netlink(NetlinkError::Refused(refusal)) => Some(refusal),
            Self::Statistic(error) => error.refusal(),
            Self::NoRdma
            | Self::NoSuchDevice { .. }
            | Self::NoSuchPort { .. }
            | Self::Gone { .. }
            | Self::NotDone { .. }
            | Self::Netlink(_) => None,
        }
    }

    /// The common reading of a refusal: permission, or the errno as it is.
    pub(super) fn refused(error: NetlinkError, what: impl Into<String>) -> Self {
        match error {
            NetlinkError::Refused(refusal) if refusal.errno == Errno::EPERM => Self::NotPermitted {
                what: what.into(),
                refusal,
            },
            NetlinkError::Refused(refusal) => Self::Refused {
                what: what.into(),
                refusal,
            },
            other => other.into(),
        }
    }
}

impl From<NetlinkError> for RdmaError {
    fn from(error: NetlinkError) -> Self {
        match error {
            NetlinkError::Open { ref source, .. }
                if source.raw_os_error() == Some(Errno::EPROTONOSUPPORT as i32) =>
            {
                Self::NoRdma
            }
            other => Self::Netlink(other),
        }
    }
}

/// A command: its number, and the first kernel that has it.
pub(super) type Since = (u16, &'static str);

/// The reading of a refusal where the command itself may be too new: the kernel answers an
/// unknown one with EINVAL and no sentence.
///
/// # Errors
/// [`RdmaError::Netlink`] when it cannot be asked.
pub(super) fn too_old_or(
    conn: &mut Conn,
    error: NetlinkError,
    (op, since): Since,
    what: String,
) -> Result<RdmaError, RdmaError> {
    match error {
        NetlinkError::Refused(refusal)
            if refusal.errno == Errno::EINVAL
                && refusal.message.is_none()
                && !conn.knows(message_type(op), RDMA_NLDEV_ATTR_DEV_INDEX)? =>
        {
            Ok(RdmaError::TooOld {
                what,
                since,
                refusal,
            })
        }
        other => Ok(RdmaError::refused(other, what)),
    }
}

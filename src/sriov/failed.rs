//! `Failed`: a change that came to nothing, why, and what that leaves.

use std::path::PathBuf;

use super::pf::Vf;
use super::step::Step;
use crate::kernel::privilege::Privilege;
use crate::kernel::{NetlinkError, Refusal};
use crate::types::PciAddr;
use crate::wire::link::vf::VfSetting;

/// A change that came to nothing, and what that leaves.
#[derive(Debug, thiserror::Error)]
#[error("VF {} of {pf} was not changed: {why}", .vf.index)]
pub struct Failed {
    /// The PF.
    pub pf: PciAddr,
    /// The driver of the PF.
    pub driver: Option<String>,
    /// The interface of the PF that was used.
    pub uplink: Option<String>,
    /// The VF.
    pub vf: Vf,
    /// The setting that failed.
    pub setting: VfSetting,
    /// Why.
    pub why: StepError,
    /// Settings made before it that are what they were again.
    pub undone: Vec<Step>,
    /// Settings that are not what they were, and why, where something was in the way.
    pub left: Vec<(Step, Option<StepError>)>,
}

impl Failed {
    /// Whether the kernel has not come back: it may still be done.
    pub fn is_stuck(&self) -> bool {
        matches!(self.why, StepError::Netlink(NetlinkError::Stuck { .. }))
    }
}

/// Why a setting was not made.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The kernel refused it.
    #[error("{}", .refusal.errno.desc())]
    Refused {
        /// What the errno means here.
        reason: Reason,
        /// The kernel's answer.
        refusal: Refusal,
        /// The vendor's file that was written to.
        file: Option<PathBuf>,
    },
    /// It was acknowledged, and reads back as something else.
    #[error("the kernel acknowledged it, and reads back something else")]
    NotDone {
        /// What it reads back.
        now: VfSetting,
    },
    /// The kernel could not be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// What an errno means for a setting of a VF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// EPERM, EACCES: CAP_NET_ADMIN over the PF's namespace, or root for a file, is missing.
    NotPermitted(Option<Privilege>),
    /// EOPNOTSUPP: the driver of the PF has no such operation.
    NotSupported,
    /// EPROTONOSUPPORT: it does not know the VLAN protocol.
    Protocol,
    /// EINVAL, ERANGE for rates, while the PF has no link: its speed is what they are held against.
    NoLink,
    /// EINVAL: the driver takes neither the value nor, if it is gone, the VF.
    Invalid,
    /// ERANGE: the value, or its form, is outside what is taken.
    Range,
    /// EBUSY, EAGAIN: the driver or its firmware is at something else.
    Busy,
    /// ENODEV, ENXIO, ENOENT: the PF, or the VF, went away.
    Gone,
    /// EIO, ETIMEDOUT, EREMOTEIO: the firmware refused.
    Firmware,
    /// Any other.
    Other,
}

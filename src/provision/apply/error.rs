//! `StepError`: why a step was not done.

use crate::kernel::bounded::BoundedError;
use crate::kernel::module_loader::LoadError;
use crate::kernel::{FileError, LockError, NetlinkError, SysfsError};
use crate::netdev::NetdevError;
use crate::pci::appearance::Equipment;
use crate::pci::driver_error::DriverError;
use crate::provision::firmware::FirmwareError;
use crate::rdma::RdmaError;
use crate::rdma::mode::ModeError;
use crate::rdma::persist::PersistError;
use crate::sriov::binding::BindingError;
use crate::sriov::change::ChangeError;
use crate::sriov::count::CountError;
use crate::sriov::eswitch::EswitchError;
use crate::sriov::uplink::UplinkError;

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A module was not loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The mode of the next boot was not written.
    #[error(transparent)]
    Persist(#[from] PersistError),
    /// The running mode is as it was.
    #[error(transparent)]
    Mode(#[from] ModeError),
    /// The RDMA subsystem refused.
    #[error(transparent)]
    Rdma(#[from] RdmaError),
    /// An interface did not change.
    #[error(transparent)]
    Netdev(#[from] NetdevError),
    /// The PF cannot be spoken to.
    #[error(transparent)]
    Uplink(#[from] UplinkError),
    /// The PF has no interface.
    #[error("the PF has no network interface")]
    NoUplink,
    /// The number of VFs is another one.
    #[error(transparent)]
    Count(#[from] CountError),
    /// A VF was not given what it should have.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A VF has another driver, or none.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// These have not come in time.
    #[error("{}", lacking(*.0))]
    Lacks(Equipment),
    /// The switch of the PF has not the mode that it shall have.
    #[error(transparent)]
    Eswitch(#[from] EswitchError),
    /// A VF has not the interrupt vectors that it shall have.
    #[error("cannot give it {to} interrupt vectors: {source}")]
    Vectors {
        /// How many.
        to: u16,
        /// Why not.
        #[source]
        source: BoundedError,
    },
    /// Another PF has not come back from the kernel, which lets one at a time speak over network interfaces.
    #[error("not begun: the kernel has not come back from what another PF was given")]
    Behind,
    /// A file of sysfs was not written.
    #[error(transparent)]
    Write(#[from] BoundedError),
    /// The kernel took it, and it is not so.
    #[error("the kernel took it, and it is not so")]
    NotSo,
    /// A setting of the firmware was not changed.
    #[error(transparent)]
    Firmware(#[from] FirmwareError),
    /// Somebody else is at work on it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There is no record of what was there, so that nothing was changed.
    #[error(transparent)]
    File(#[from] FileError),
    /// sysfs could not be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
    /// The kernel could not be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

impl StepError {
    /// Whether it is a matter of time.
    pub fn is_late(&self) -> bool {
        matches!(self, Self::Lacks(_) | Self::Behind) || self.is_stuck()
    }

    /// Whether the kernel has not come back: what was to be done may still be done.
    pub fn is_stuck(&self) -> bool {
        if self.is_netlink_stuck() {
            return true;
        }
        let write = match self {
            Self::Write(error)
            | Self::Count(CountError::Write(error))
            | Self::Binding(BindingError::Driver(DriverError::Write(error))) => error,
            _ => return false,
        };
        matches!(write, BoundedError::Stuck { .. })
    }

    /// Whether the kernel has not come back from a setting of a VF: network interfaces of the host cannot be looked at
    /// until it has.
    pub fn is_netlink_stuck(&self) -> bool {
        matches!(self, Self::Change(ChangeError::Failed(failed)) if failed.is_stuck())
    }
}

fn lacking(missing: Equipment) -> String {
    let words = [
        (missing.driver, "driver"),
        (missing.rdma, "RDMA device"),
        (missing.netdev, "network interface"),
    ];
    let words: Vec<&str> = words
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, word)| *word)
        .collect();
    format!("its {} did not come in time", words.join(" and "))
}

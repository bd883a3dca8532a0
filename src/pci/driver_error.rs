//! `DriverError`: why a function has not the driver it should have.

use nix::errno::Errno;

use crate::kernel::SysfsError;
use crate::kernel::bounded::BoundedError;
use crate::types::{DriverName, PciAddr};

/// Why a function has not the driver it should have.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// There is no such function, or not any more.
    #[error("there is no PCI function {address}")]
    Gone {
        /// Its address.
        address: PciAddr,
    },
    /// No driver of this name is in the kernel.
    #[error("no PCI driver {driver} is loaded")]
    NoSuchDriver {
        /// The driver.
        driver: DriverName,
    },
    /// Another driver has the function.
    #[error("{address} is bound to {driver}")]
    Taken {
        /// The function.
        address: PciAddr,
        /// The driver that has it.
        driver: String,
    },
    /// The driver does not know functions of this kind, or does not want this one: both are ENODEV.
    #[error("{driver} does not take {address}")]
    NotForIt {
        /// The function.
        address: PciAddr,
        /// The driver.
        driver: DriverName,
    },
    /// The driver tried and failed.
    #[error("{driver} failed to start on {address}{}", .errno.map(|errno| format!(": {}", errno.desc())).unwrap_or_default())]
    Failed {
        /// The function.
        address: PciAddr,
        /// The driver.
        driver: String,
        /// What it answered; kernels before 5.11 do not pass it on.
        errno: Option<Errno>,
    },
    /// The driver waits for something else to be there first (EPROBE_DEFER, passed on as EAGAIN).
    #[error("{driver} puts {address} off: something it needs is not there yet")]
    PutOff {
        /// The function.
        address: PciAddr,
        /// The driver.
        driver: String,
    },
    /// Every loaded driver was asked, and none has it now.
    #[error("no loaded driver took {address}")]
    NoneTook {
        /// The function.
        address: PciAddr,
    },
    /// The driver was told to leave it and is still there.
    #[error("{driver} does not let go of {address}")]
    Kept {
        /// The function.
        address: PciAddr,
        /// The driver.
        driver: String,
    },
    /// The caller may not write the file.
    #[error("not permitted to write {}", .0.path.display())]
    NotPermitted(SysfsError),
    /// The write came to no other end.
    #[error(transparent)]
    Write(BoundedError),
    /// sysfs could not be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
}

impl From<BoundedError> for DriverError {
    fn from(error: BoundedError) -> Self {
        match error {
            BoundedError::Refused(error) if is_permission(error.errno) => Self::NotPermitted(error),
            other => Self::Write(other),
        }
    }
}

/// EROFS: sysfs is mounted read-only, as containers have it.
pub fn is_permission(errno: Errno) -> bool {
    matches!(errno, Errno::EACCES | Errno::EPERM | Errno::EROFS)
}

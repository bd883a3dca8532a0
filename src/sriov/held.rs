//! `Held`: what a VF has: its driver, RDMA devices and network interfaces.

use super::pf::Vf;
use crate::kernel::{Sysfs, SysfsError};
use crate::pci::device::{Presence, presence, rdma_names};
use crate::pci::function::netdevs;
use crate::types::{DeviceId, IfName};

/// What a VF has in the namespace that sysfs shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The VF.
    pub vf: Vf,
    /// The driver bound to it.
    pub driver: Option<String>,
    /// The names of its RDMA devices, mostly one.
    pub rdma: Vec<String>,
    /// Its network interfaces, mostly one.
    pub netdevs: Vec<IfName>,
}

impl Held {
    /// What a VF has now.
    ///
    /// # Errors
    /// [`SysfsError`]; a VF that is not there has nothing.
    pub fn of(sysfs: &Sysfs, vf: Vf) -> Result<Self, SysfsError> {
        let id = DeviceId::Pci(vf.address);
        Ok(Self {
            vf,
            driver: match presence(sysfs, &id)? {
                Presence::Bound(driver) => Some(driver),
                Presence::Absent | Presence::Unbound => None,
            },
            rdma: rdma_names(sysfs, &id)?,
            netdevs: netdevs(sysfs, vf.address)?,
        })
    }
}

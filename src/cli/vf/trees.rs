//! `Trees`: sysfs of the namespace that a command runs in, and of the one in which devices appear.

use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Host, Sysfs, SysfsError};
use crate::pci::appearance::Equipment;
use crate::sriov::held::Held;
use crate::sriov::pf::Vf;
use crate::types::PciAddr;

/// Two views of what functions have; `/sys` may show either, or that of a third namespace.
pub(super) struct Trees<'h> {
    host: &'h Host,
    own: Option<NetnsSysfs>,
    home: Option<NetnsSysfs>,
}

impl<'h> Trees<'h> {
    pub(super) fn of(host: &'h Host) -> Self {
        Self {
            host,
            own: NetnsSysfs::of_caller(host),
            home: NetnsSysfs::of_first(host),
        }
    }

    /// Names mean what they are called in the namespace that the command runs in.
    pub(super) fn own(&self) -> &Sysfs {
        let own = self.own.as_ref();
        own.map_or(self.host.sysfs(), NetnsSysfs::tree)
    }

    /// Wherever its driver is bound from, what a function gets appears here.
    pub(super) fn home(&self) -> &Sysfs {
        let home = self.home.as_ref();
        home.map_or(self.host.sysfs(), NetnsSysfs::tree)
    }

    /// What a VF has in the one or else in the other.
    ///
    /// # Errors
    /// [`SysfsError`].
    pub(super) fn held(&self, vf: Vf) -> Result<Held, SysfsError> {
        let (mut held, at_home) = (Held::of(self.own(), vf)?, Held::of(self.home(), vf)?);
        if held.rdma.is_empty() {
            held.rdma = at_home.rdma;
        }
        if held.netdevs.is_empty() {
            held.netdevs = at_home.netdevs;
        }
        Ok(held)
    }

    /// What a VF can be expected to have when it works: what its PF has, in either.
    ///
    /// # Errors
    /// [`SysfsError`].
    pub(super) fn expected(&self, pf: PciAddr) -> Result<Equipment, SysfsError> {
        let own = Equipment::of(self.own(), pf)?;
        let at_home = Equipment::of(self.home(), pf)?;
        Ok(Equipment {
            driver: true,
            rdma: own.rdma || at_home.rdma,
            netdev: own.netdev || at_home.netdev,
        })
    }
}

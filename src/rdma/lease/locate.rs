//! Where a lent device is: at home, in a namespace, or nowhere that can be found.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::error::LeaseError;
use super::record::{Attachment, Lodging, Record};
use super::store::Store;
use crate::kernel::namespaces::{Depth, survey};
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Conn, Host, Namespace, Netns, SysfsError, state};
use crate::pci::device::{Presence, presence, rdma_names};
use crate::rdma::{RdmaError, device, numbered};
use crate::types::DeviceId;
use crate::wire::nldev::device::Device;

/// A namespace with many devices has been seen to take half a second.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// How many namespaces are looked into for the sake of an error message.
const MAX_NAMESPACES: usize = 256;

/// The end of a search.
#[derive(Debug)]
pub enum Place {
    /// In the caller's namespace.
    Home(Device),
    /// In another one.
    Away(Netns, Device),
    /// Not found; with its function gone it does not exist any more.
    Nowhere,
}

/// What is known of a device that is to be found.
pub struct Search<'a> {
    /// The machine.
    pub host: &'a Host,
    /// Whose it is.
    pub attachment: &'a Attachment,
    /// What it sits on.
    pub device_id: Option<&'a DeviceId>,
    /// Its record, if there is one.
    pub record: Option<&'a Record>,
    /// The container's namespace, as far as the runtime still has it.
    pub netns: Option<&'a Netns>,
}

impl Search<'_> {
    /// Looks at home first, then in the container's namespace, then everywhere.
    ///
    /// A device is only found away when it is certain that it is this attachment's: it lies in
    /// the namespace it was lent to, or nobody else has it on record.
    ///
    /// # Errors
    /// [`LeaseError`] when looking fails; a namespace that vanishes under the search is not there.
    pub fn run(&self, home: &mut Conn) -> Result<Place, LeaseError> {
        let boot = state::boot_id(self.host)?;
        let lodging = self
            .record
            .and_then(|record| record.lodging.as_ref())
            .filter(|lodging| boot.as_deref() == Some(lodging.netns.boot.as_str()));
        if let Some(device) = self.at_home(home, lodging)? {
            return Ok(Place::Home(device));
        }
        if let Some(netns) = self.netns {
            netns.prepare(self.host, true, false);
        }
        let stranger = |netns: &Netns| lodging.is_some_and(|lodging| !lodging.netns.is(netns));
        if let Some(netns) = self.netns.filter(|netns| !stranger(netns))
            && (lodging.is_some() || !self.is_claimed()?)
            && let Some(device) = self.inside(netns, lodging)?
        {
            return Ok(Place::Away(netns.try_clone()?, device));
        }
        // Without a record nothing says that the device ever left, or where to.
        let expired = self.record.is_some_and(|r| r.lodging.is_some()) && lodging.is_none();
        if self.record.is_none() || expired || self.is_claimed()? {
            return Ok(Place::Nowhere);
        }
        for depth in [Depth::Processes, Depth::Files] {
            for namespace in survey(self.host, depth)?.namespaces {
                let wanted = lodging.is_none_or(|lodging| lodging.netns.id == namespace.id);
                if !wanted || namespace.is_current {
                    continue;
                }
                if let Some(place) = self.within(&namespace, lodging)? {
                    return Ok(place);
                }
            }
        }
        Ok(Place::Nowhere)
    }

    /// As [`Self::run`], and when the device is nowhere though what it sits on is ready, waits a
    /// moment: a namespace ends in the background, and brings its devices home after its name and
    /// its processes are gone.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_patiently(&self, home: &mut Conn) -> Result<Place, LeaseError> {
        let place = self.run(home)?;
        let (Place::Nowhere, Some(id), Some(record)) = (&place, self.device_id, self.record) else {
            return Ok(place);
        };
        if await_home(self.host, id, 1 + record.siblings.len())?.is_empty() {
            Ok(Place::Nowhere)
        } else {
            self.run(home)
        }
    }

    /// A device that is still in the container's namespace, where no record says which ones are.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn left_inside(&self, home: &mut Conn) -> Result<Option<(Netns, Device)>, LeaseError> {
        let is_told = self.record.is_some_and(|record| record.lodging.is_some());
        let Some(netns) = self.netns.filter(|_| !is_told) else {
            return Ok(None);
        };
        if self.is_claimed()? {
            return Ok(None);
        }
        match self.inside(netns, None)? {
            // In shared mode every namespace shows those at home.
            Some(device) if device::with_index(home, device.index)?.is_none() => {
                Ok(Some((netns.try_clone()?, device)))
            }
            _ => Ok(None),
        }
    }

    fn at_home(
        &self,
        home: &mut Conn,
        lodging: Option<&Lodging>,
    ) -> Result<Option<Device>, LeaseError> {
        if let Some(lodging) = lodging {
            let there = device::with_index(home, lodging.index)?;
            if let Some(device) = there.filter(|device| lodging.is_of(device)) {
                return Ok(Some(device));
            }
        }
        let Some(id) = self.device_id else {
            return Ok(None);
        };
        let names = rdma_names(self.host.sysfs(), id)?;
        self.first_named(home, &names)
    }

    fn within(
        &self,
        namespace: &Namespace,
        lodging: Option<&Lodging>,
    ) -> Result<Option<Place>, LeaseError> {
        let Ok(netns) = namespace.open(self.host) else {
            return Ok(None);
        };
        // Another one has its number by now.
        if lodging.is_some_and(|lodging| !lodging.netns.is(&netns)) {
            return Ok(None);
        }
        let found = self.inside(&netns, lodging)?;
        Ok(found.map(|device| Place::Away(netns, device)))
    }

    /// By index and GUID; else by what it sits on; else, when the namespace's sysfs cannot be
    /// had, by the name that Go wrote down.
    fn inside(
        &self,
        netns: &Netns,
        lodging: Option<&Lodging>,
    ) -> Result<Option<Device>, LeaseError> {
        if let Some(lodging) = lodging {
            let with_index = |conn: &mut Conn| device::with_index(conn, lodging.index);
            let there = netns.over_rdma(self.host, with_index)??;
            if let Some(device) = there.filter(|device| lodging.is_of(device)) {
                return Ok(Some(device));
            }
        }
        let names = match (self.device_id, NetnsSysfs::of(netns)?) {
            (Some(id), Ok(sysfs)) => rdma_names(sysfs.tree(), id)?,
            _ => self
                .record
                .map(|record| record.pod_name.clone())
                .filter(|name| lodging.is_none() && !name.is_empty())
                .into_iter()
                .collect(),
        };
        if names.is_empty() {
            return Ok(None);
        }
        netns
            .within(|| self.first_named(&mut self.host.rdma().map_err(RdmaError::from)?, &names))?
    }

    /// The first device of these names; none that is on record as another one of the function.
    fn first_named(&self, conn: &mut Conn, names: &[String]) -> Result<Option<Device>, LeaseError> {
        if names.is_empty() {
            return Ok(None);
        }
        let siblings = self.record.map_or(&[][..], |record| &record.siblings);
        let is_sibling = |device: &Device| siblings.iter().any(|s| s.index == device.index);
        let mut devices = numbered::shown(self.host, conn, names)?.into_iter();
        Ok(devices.find(|device| !is_sibling(device)))
    }

    fn is_claimed(&self) -> Result<bool, LeaseError> {
        let Some(id) = self.device_id else {
            return Ok(false);
        };
        let claims = Store::new(self.host).claims(id, Some(self.attachment))?;
        Ok(!claims.is_empty())
    }
}

/// The names of the RDMA devices of `id` at home, waited for as long as a namespace takes to end
/// until there are `count`. A device without a driver has none, and is not waited for.
///
/// # Errors
/// [`SysfsError`].
pub fn await_home(host: &Host, id: &DeviceId, count: usize) -> Result<Vec<String>, SysfsError> {
    let begun = Instant::now();
    loop {
        let names = rdma_names(host.sysfs(), id)?;
        let hopeless = || Ok(!matches!(presence(host.sysfs(), id)?, Presence::Bound(_)));
        if names.len() >= count || begun.elapsed() > PATIENCE || hopeless()? {
            return Ok(names);
        }
        sleep(PAUSE);
    }
}

/// A namespace other than the caller's in which `id` has an RDMA device: what it is called, a
/// path that leads there, and the device's name.
pub fn outside(host: &Host, id: &DeviceId) -> Option<(String, String, String)> {
    let namespaces = survey(host, Depth::Processes).ok()?.namespaces;
    let others = namespaces.iter().filter(|n| !n.is_current);
    others.take(MAX_NAMESPACES).find_map(|namespace| {
        let netns = namespace.open(host).ok()?;
        let sysfs = NetnsSysfs::of(&netns).ok()?.ok()?;
        let name = rdma_names(sysfs.tree(), id).ok()?.into_iter().next()?;
        let process = || Some(format!("/proc/{}/ns/net", namespace.processes.first()?.pid));
        let path = namespace
            .paths
            .first()
            .map(|path| path.display().to_string());
        Some((namespace.word(), path.or_else(process)?, name))
    })
}

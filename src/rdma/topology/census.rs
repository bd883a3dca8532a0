//! `Census`: the presences of all network namespaces, and the devices that are in none of them.

use super::presence::Presence;
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Conn, Host, NetnsError, Survey, Sysfs};
use crate::rdma::away::{self, Away};
use crate::rdma::char_device::{self, Wanted};
use crate::rdma::{RdmaError, system};
use crate::types::{NetnsMode, PciAddr};
use crate::wire::nldev::chardev::{CharDev, Kind};

/// Who has what.
#[derive(Debug, Default)]
pub struct Census {
    /// Every namespace has every device; interfaces have one all the same.
    pub shared: bool,
    /// What each namespace has; those that have nothing are left out, the caller's is not.
    pub presences: Vec<Presence>,
    /// Devices that exist and were found in no namespace.
    pub missing: Vec<Away>,
    /// Uverbs devices tell of devices that are elsewhere.
    pub has_uverbs: bool,
    /// The connection manager's character device.
    pub rdma_cm: Option<CharDev>,
    /// Why namespaces could not be looked into.
    pub unseen: Vec<NetnsError>,
    /// Processes that the caller may not look at; their namespaces may be missing.
    pub hidden: usize,
}

/// Looks at every namespace of `survey`; `conn` and `sysfs` are those of the calling thread's. VFs
/// are asked for from `pfs`.
///
/// # Errors
/// [`RdmaError`] when the caller's own namespace cannot be asked.
pub fn take(
    host: &Host,
    conn: &mut Conn,
    sysfs: &Sysfs,
    survey: Survey,
    pfs: &[PciAddr],
) -> Result<Census, RdmaError> {
    let shared = match system::get(conn) {
        Ok(system) => system.netns_mode() != Some(NetnsMode::Exclusive),
        // Kernels too old to tell have the shared mode only.
        Err(RdmaError::TooOld { .. }) => true,
        Err(error) => return Err(error),
    };
    let kinds = char_device::kinds(sysfs);
    let mut census = Census {
        shared,
        has_uverbs: kinds.contains(&Kind::Uverbs),
        ..Census::default()
    };
    if kinds.contains(&Kind::RdmaCm) {
        let machine = Wanted {
            kind: Kind::RdmaCm,
            device: None,
            port: None,
        };
        census.rdma_cm = char_device::list(conn, &[machine])?.pop().flatten();
    }
    census.hidden = survey.hidden;
    for namespace in survey.namespaces {
        let wanted = (&kinds[..], pfs);
        if namespace.is_current {
            let mut own = Presence::here(host, namespace, true, wanted)?;
            own.read(sysfs);
            own.sift();
            census.presences.push(own);
            continue;
        }
        let netns = match namespace.open(host) {
            Ok(netns) => netns,
            // It ended since it was found.
            Err(error) if error.is_absent() => continue,
            Err(error) => {
                census.unseen.push(error);
                continue;
            }
        };
        let found = netns.within(|| Presence::here(host, namespace, !shared, wanted));
        let mut there = match found {
            Ok(found) => found?,
            Err(error) => {
                census.unseen.push(error);
                continue;
            }
        };
        if !there.residents.is_empty()
            && let Ok(Ok(mounted)) = NetnsSysfs::of(&netns)
        {
            there.read(mounted.tree());
        }
        there.sift();
        if !there.residents.is_empty() || !there.interfaces.is_empty() {
            census.presences.push(there);
        }
    }
    let away = away::list(sysfs).unwrap_or_default().into_iter();
    census.missing = away.filter(|away| !census.has(away)).collect();
    Ok(census)
}

impl Census {
    /// Nothing is missing that a caller with more rights would have found.
    pub fn is_whole(&self) -> bool {
        let saw_all = self.unseen.is_empty() && self.hidden == 0;
        // In shared mode every device is here, and else uverbs devices tell what is elsewhere.
        saw_all || self.missing.is_empty() && (self.shared || self.has_uverbs)
    }

    fn has(&self, away: &Away) -> bool {
        let mut residents = self.presences.iter().flat_map(|each| &each.residents);
        residents.any(|resident| match &resident.uverbs {
            // Names are unique in a namespace only since 7.3.
            Some(uverbs) => uverbs.name == away.uverbs,
            None => resident.device.name == away.name,
        })
    }
}

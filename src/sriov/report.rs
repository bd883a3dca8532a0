//! `Report`: what a PF tells of its VFs, and what it cannot tell.

use std::collections::{BTreeMap, BTreeSet};

use super::link_layer::{self, LinkLayer};
use super::pf::{Pf, Vf};
use super::uplink::{self, Uplink, UplinkError};
use super::vendor;
use crate::kernel::{Conn, Host, NetlinkError};
use crate::netdev::vf_list;
use crate::wire::link::vf::Vf as Told;

/// What is known of the VFs of one PF.
#[derive(Debug)]
pub struct Report {
    /// InfiniBand or Ethernet; `None` when nothing says.
    pub layer: Option<LinkLayer>,
    /// The interface that was asked.
    pub uplink: Option<Uplink>,
    /// What the PF tells, by index.
    pub told: BTreeMap<u16, Told>,
    /// The VFs of which only the vendor's files tell, and those may mean another VF.
    pub unproven: BTreeSet<u16>,
    /// Why something is missing.
    pub gap: Option<Gap>,
}

/// Why a PF does not tell of all its VFs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It is not for the network, or has no driver: there is nobody to tell.
    NoNetwork,
    /// It has no network interface in any namespace that could be looked into.
    NoUplink {
        /// Namespaces that could not be looked into.
        unseen: usize,
    },
    /// The kernel cannot put them into one message.
    TooLong,
    /// Its driver has no such operation, or failed for some.
    Silent,
}

/// What each of these PFs tells, in that order.
///
/// # Errors
/// [`UplinkError`] when nothing can be asked; what one PF cannot tell is a [`Gap`], and what goes
/// wrong with one is its own.
pub fn of_all(host: &Host, pfs: &[Pf]) -> Result<Vec<Result<Report, UplinkError>>, UplinkError> {
    let addresses: Vec<_> = pfs.iter().map(|pf| pf.address).collect();
    let search = uplink::search(host, &addresses)?;
    let unseen = search.unseen.len();
    let found = pfs.iter().zip(search.uplinks);
    Ok(found
        .map(|(pf, uplink)| report(host, pf, uplink, unseen))
        .collect())
}

/// What one PF tells.
///
/// # Errors
/// [`UplinkError`].
pub fn of(host: &Host, pf: &Pf) -> Result<Report, UplinkError> {
    let mut search = uplink::search(host, &[pf.address])?;
    let uplink = search.uplinks.pop().flatten();
    report(host, pf, uplink, search.unseen.len())
}

fn report(
    host: &Host,
    pf: &Pf,
    uplink: Option<Uplink>,
    unseen: usize,
) -> Result<Report, UplinkError> {
    let by_uplink = uplink
        .as_ref()
        .and_then(|uplink| LinkLayer::of_hardware(uplink.hardware));
    let mut report = Report {
        layer: match by_uplink {
            None => link_layer::of(host.sysfs(), pf.address)?,
            known => known,
        },
        uplink: None,
        told: BTreeMap::new(),
        unproven: BTreeSet::new(),
        gap: None,
    };
    if pf.vfs.is_empty() {
        report.uplink = uplink;
        return Ok(report);
    }
    match &uplink {
        Some(uplink) => match uplink.speak(host, |conn| told(conn, uplink))?? {
            Some(told) => report.told = told,
            None => report.gap = Some(Gap::TooLong),
        },
        None if uplink::may_have_one(host.sysfs(), pf.address) => {
            report.gap = Some(Gap::NoUplink { unseen });
        }
        None => report.gap = Some(Gap::NoNetwork),
    }
    report.uplink = uplink;
    let untold = |vf: &&Vf| !report.told.contains_key(&vf.index);
    let untold: Vec<Vf> = pf.vfs.iter().filter(untold).copied().collect();
    for vf in untold {
        // The vendor's files have no limit, and need no interface.
        match vendor::read(host.sysfs(), pf.address, vf) {
            Some(told) => {
                report.told.insert(vf.index, told);
                report.unproven.insert(vf.index);
            }
            None => report.gap = report.gap.or(Some(Gap::Silent)),
        }
    }
    if pf.vfs.iter().all(|vf| report.told.contains_key(&vf.index)) {
        report.gap = None;
    }
    Ok(report)
}

/// What the driver behind an interface tells of each VF; `None` when the kernel cannot send it.
///
/// # Errors
/// [`NetlinkError`].
pub fn told(conn: &mut Conn, uplink: &Uplink) -> Result<Option<BTreeMap<u16, Told>>, NetlinkError> {
    let link = vf_list::of(conn, uplink.index)?;
    Ok(link.map(|link| {
        let vfs = link.vfs.into_iter();
        let meant = vfs.map(|vf| match LinkLayer::of_hardware(link.hardware) {
            Some(LinkLayer::InfiniBand) => infiniband(vf),
            _ => vf,
        });
        meant
            .filter_map(|vf| Some((u16::try_from(vf.index).ok()?, vf)))
            .collect()
    }))
}

/// IPoIB hands on no more than this; the rest is its own address and zeros (`ipoib_get_vf_config`).
fn infiniband(told: Told) -> Told {
    Told {
        index: told.index,
        state: told.state,
        node_guid: told.node_guid,
        port_guid: told.port_guid,
        ..Told::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Kernel, Machine, host_with};
    use crate::types::{Guid, LinkPolicy};
    use crate::wire::Request;
    use nix::errno::Errno;
    use std::sync::Arc;

    const PF: &str = "sys/bus/pci/devices/0000:01:00.0";

    fn machine() -> Machine {
        Machine::new()
            .file(&format!("{PF}/sriov_totalvfs"), "7\n")
            .link(&format!("{PF}/virtfn0"), "../0000:01:10.0")
            .link(&format!("{PF}/virtfn1"), "../0000:01:10.2")
            .file(&format!("{PF}/net/ib0/ifindex"), "3\n")
            .file(&format!("{PF}/net/ib0/type"), "32\n")
    }

    fn vf(list: Request, index: u32) -> Request {
        let guid = [0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        let guid = [index.to_ne_bytes().as_slice(), &guid].concat();
        let state = [index.to_ne_bytes(), 1u32.to_ne_bytes()].concat();
        let mac = [index.to_ne_bytes().as_slice(), &[1; 32]].concat();
        list.nest(1, |info| {
            info.bytes(1, &mac)
                .bytes(5, &state)
                .bytes(4, &[0; 8])
                .bytes(10, &guid)
        })
    }

    /// `ib0` with VF 0 of two; `fits` says what has room for it: a single answer, a listing.
    fn kernel(fits: (bool, bool)) -> Kernel {
        Arc::new(move |_, body: &[u8]| {
            // struct ifinfomsg: the hardware, and the index that was asked for.
            let is_dump = body[4..8] == [0; 4];
            let with_vfs = body[20] & 1 == 1;
            let mut fixed = [0; 16];
            (fixed[2], fixed[4]) = (32, 3);
            let link = Request::new(0)
                .fixed(&fixed)
                .text(3, "ib0")
                .text(56, "0000:01:00.0");
            let full = link.clone().u32(21, 2).nest(22, |list| vf(list, 0));
            match (with_vfs, is_dump) {
                (true, false) if !fits.0 => Answer::Refused(Errno::EMSGSIZE, None),
                (true, true) if !fits.1 => Answer::Refused(Errno::EMSGSIZE, None),
                (true, _) => Answer::Data(vec![full.body().to_vec()]),
                (false, _) => Answer::Data(vec![link.body().to_vec()]),
            }
        })
    }

    fn reported(machine: &Machine, fits: (bool, bool)) -> Report {
        let host = host_with(&machine.path(""), kernel(fits));
        let pf = super::super::pf::read(host.sysfs(), "0000:01:00.0".parse().unwrap());
        of(&host, &pf.unwrap().unwrap()).unwrap()
    }

    #[test]
    fn an_infiniband_vf_has_guids_and_a_state_alone() {
        let report = reported(&machine(), (true, true));
        assert_eq!(report.layer, Some(LinkLayer::InfiniBand));
        let expected = Told {
            state: Some(LinkPolicy::Enable),
            node_guid: Some(Guid::new(9)),
            ..Told::default()
        };
        assert_eq!(report.told, BTreeMap::from([(0, expected)]));
        assert_eq!(report.gap, Some(Gap::Silent));
    }

    #[test]
    fn a_listing_has_room_where_an_answer_has_none() {
        assert_eq!(reported(&machine(), (false, true)).told.len(), 1);
        let report = reported(&machine(), (false, false));
        assert_eq!((report.told.len(), report.gap), (0, Some(Gap::TooLong)));
    }

    #[test]
    fn the_vendors_files_fill_the_gap() {
        let machine = machine()
            .file(&format!("{PF}/sriov/0/node"), "00:00:00:00:00:00:00:07\n")
            .file(&format!("{PF}/sriov/1/node"), "00:00:00:00:00:00:00:08\n");
        let report = reported(&machine, (true, true));
        let guids: Vec<_> = report.told.values().map(|told| told.node_guid).collect();
        assert_eq!(guids, [Some(Guid::new(9)), Some(Guid::new(8))]);
        assert_eq!((report.gap, report.unproven), (None, BTreeSet::from([1])));
        assert_eq!(reported(&machine, (false, false)).told.len(), 2);
    }
}

//! Looking at a host: which functions a document means, and what they and their VFs have.
//!
//! Nothing is changed, and no attribute is read that takes the lock of a device: whoever creates
//! VFs meanwhile is not waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::thread;

use super::document::{Document, Firmware, Match, PfEntry};
use super::firmware::standing;
use super::journal;
use super::observed::{Found, HostState, Observed, PfState};
use super::plan::{Plan, plan};
use crate::kernel::{
    FileError, Host, NetlinkError, Sysfs, SysfsError, modules, namespaces, threads,
};
use crate::netdev::interface;
use crate::pci::device::rdma_names;
use crate::pci::{function, msix, vpd};
use crate::rdma::boot;
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::pf::{self, Pf, Vf};
use crate::sriov::report::{self, Report};
use crate::sriov::uplink::{self, Uplink, UplinkError};
use crate::sriov::usage::{self, How, UsageError, Use};
use crate::sriov::vf_side::{self, VfSide};
use crate::sriov::{count, eswitch, ipoib};
use crate::types::{DeviceId, Guid, IfName, Mac, PciAddr};

/// As many VFs as are worth a thread.
const SHARE: usize = 24;

/// Why a host could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// sysfs cannot be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
    /// A PF cannot be asked for its VFs.
    #[error(transparent)]
    Uplink(#[from] UplinkError),
    /// The network namespaces cannot be listed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The kernel cannot be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// It cannot be said who uses a VF.
    #[error("cannot find out who uses the VFs: {0}")]
    Usage(#[from] UsageError),
}

/// Looks at what a document is about, and works out what is left to do. Who uses VFs is asked
/// only where a step would take one from somebody.
///
/// # Errors
/// [`LookError`].
pub fn planned(host: &Host, document: &Document) -> Result<(Observed, Plan), LookError> {
    let mut observed = look(host, document)?;
    let first = plan(document, &observed);
    let unasked = first.unasked();
    if unasked.is_empty() {
        return Ok((observed, first));
    }
    for found in &mut observed.pfs {
        if let Found::One(state) = found
            && unasked.contains(&state.pf.address)
        {
            state.usage = Some(usage::look(host, &state.pf, &state.pf.vfs)?);
        }
    }
    let second = plan(document, &observed);
    Ok((observed, second))
}

/// The VFs whose driver is at work to start: they have one, and what it makes is nowhere yet. Who
/// may not look everywhere is told of none.
pub fn starting(host: &Host, observed: &Observed) -> BTreeSet<(PciAddr, u16)> {
    let mut starting = BTreeSet::new();
    for state in observed.pfs.iter().filter_map(Found::one) {
        let is_out_of_sight = |vf: &&Vf| {
            let side = state.sides.get(&vf.index);
            side.is_some_and(VfSide::is_out_of_sight)
        };
        let vfs: Vec<Vf> = state
            .pf
            .vfs
            .iter()
            .filter(is_out_of_sight)
            .copied()
            .collect();
        let usage = usage::look(host, &state.pf, &vfs).ok();
        let Some(usage) = usage.filter(|usage| usage.hidden == 0) else {
            continue;
        };
        let nowhere = |each: &&Use| matches!(each.how, How::Unseen { .. });
        let uses = usage.uses.iter().filter(nowhere);
        starting.extend(uses.map(|each| (state.pf.address, each.vf.index)));
    }
    starting
}

/// Looks at what a document is about.
///
/// # Errors
/// [`LookError`].
pub fn look(host: &Host, document: &Document) -> Result<Observed, LookError> {
    let mut pfs = pf::list(host.sysfs())?;
    let wants = |is: fn(&Match) -> bool| document.pfs.iter().any(|entry| is(&entry.function));
    let wants_mac = wants(|function| function.perm_mac.is_some());
    let wants_serial = wants(|function| function.serial.is_some());
    let mut marks = Vec::new();
    for pf in &pfs {
        let mut of_pf = Marks::of(host, pf, wants_mac)?;
        if wants_serial {
            of_pf.serial = vpd::serial(host.sysfs(), pf.address);
        }
        marks.push(of_pf);
    }
    let meant = |pfs: &[Pf], marks: &[Marks]| -> Vec<Vec<usize>> {
        let of_entry = |entry: &PfEntry| {
            let fits = |at: &usize| marks[*at].fit(pfs[*at].address, &entry.function);
            (0..pfs.len()).filter(fits).collect()
        };
        document.pfs.iter().map(of_entry).collect()
    };
    let mut found = meant(&pfs, &marks);
    if found.iter().any(Vec::is_empty) {
        // One whose firmware has SR-IOV switched off is a PF that offers no VFs.
        for pf in pf::without_vfs(host.sysfs())? {
            let mut of_pf = Marks::of(host, &pf, wants_mac)?;
            if wants_serial {
                of_pf.serial = vpd::serial(host.sysfs(), pf.address);
            }
            marks.push(of_pf);
            pfs.push(pf);
        }
        let all = meant(&pfs, &marks);
        for (found, all) in found.iter_mut().zip(all) {
            if found.is_empty() {
                *found = all;
            }
        }
    }
    let meant = found;
    let mut only: Vec<usize> = meant
        .iter()
        .filter_map(|at| match at[..] {
            [only] => Some(only),
            _ => None,
        })
        .collect();
    only.sort_unstable();
    only.dedup();
    let chosen: Vec<Pf> = only.iter().map(|at| pfs[*at].clone()).collect();
    let states = states(host, chosen)?;
    let found = meant.iter().map(|at| match at[..] {
        [] => Found::Nothing,
        [one] => {
            let state = only.binary_search(&one).ok();
            let state = state.and_then(|at| states.get(at));
            state.map_or(Found::Nothing, |state| Found::One(Box::new(state.clone())))
        }
        _ => Found::Several(at.iter().map(|at| pfs[*at].address).collect()),
    });
    let mut pfs: Vec<Found> = found.collect();
    for (entry, found) in document.pfs.iter().zip(&mut pfs) {
        let Found::One(state) = found else { continue };
        if entry.eswitch.is_some() {
            ask_mode(host, state)?;
        }
        let of_vfs = entry.vfs.iter().map(|own| &own.vf);
        let mut wishes = of_vfs.chain([&entry.defaults]);
        if wishes.any(|wish| wish.msix.is_some()) {
            ask_vectors(host, state)?;
        }
    }
    Ok(Observed {
        firmware: match document.policy.firmware {
            Firmware::Write => standing::look(host, document, &pfs),
            Firmware::Unmanaged | Firmware::Check => BTreeMap::new(),
        },
        host: host_state(host, document, &pfs)?,
        pfs,
    })
}

/// What PFs and their VFs have.
///
/// # Errors
/// [`LookError`].
pub fn states(host: &Host, pfs: Vec<Pf>) -> Result<Vec<PfState>, LookError> {
    let reports = report::of_all(host, &pfs)?;
    let both = pfs.into_iter().zip(reports);
    both.map(|(pf, report)| state(host, pf, report?)).collect()
}

/// The mode of a PF's switch, which the others of its settings do not come with.
///
/// # Errors
/// [`LookError`].
pub fn ask_mode(host: &Host, state: &mut PfState) -> Result<(), LookError> {
    state.eswitch = eswitch::read(host, state.pf.address)?;
    Ok(())
}

/// The interrupt vectors of a PF's VFs, each in the VF's own configuration space.
///
/// # Errors
/// [`LookError`].
pub fn ask_vectors(host: &Host, state: &mut PfState) -> Result<(), LookError> {
    for vf in &state.pf.vfs {
        if let Some(vectors) = msix::vectors(host.sysfs(), vf.address)? {
            state.vectors.insert(vf.index, vectors);
        }
    }
    Ok(())
}

fn state(host: &Host, pf: Pf, report: Report) -> Result<PfState, LookError> {
    let sysfs = host.sysfs();
    let address = pf.address;
    let sides = sides(sysfs, &pf.vfs)?;
    let probing = count::is_probing(sysfs, address)?;
    let rdma = rdma_names(sysfs, &DeviceId::Pci(address))?;
    let (mac, up) = match &report.uplink {
        Some(uplink) => interface_of(host, uplink)?,
        None => (None, None),
    };
    let here = report.uplink.as_ref().filter(|each| each.away.is_none());
    let name = here.map(|uplink| uplink.name.clone());
    let is_ib = report.layer == Some(LinkLayer::InfiniBand);
    Ok(PfState {
        name: name
            .or_else(|| rdma.first().cloned())
            .unwrap_or_else(|| address.to_string()),
        driver: function::read(sysfs, address)?.and_then(|function| function.driver),
        guid: port_guid(host, address)?.filter(|_| is_ib),
        mac,
        up,
        left_off: !probing && journal::was_probing(host, address),
        probing,
        eswitch: None,
        vectors: BTreeMap::new(),
        layer: report.layer,
        told: report.told,
        gap: report.gap,
        sides,
        usage: None,
        pf,
    })
}

/// What VFs show: many are looked at by several at once, for each takes some twenty files.
fn sides(sysfs: &Sysfs, vfs: &[Vf]) -> Result<BTreeMap<u16, VfSide>, SysfsError> {
    let look = |vfs: &[Vf]| -> Result<Vec<(u16, VfSide)>, SysfsError> {
        let each = vfs.iter();
        each.map(|vf| Ok((vf.index, vf_side::identity(sysfs, *vf)?)))
            .collect()
    };
    if vfs.len() < 2 * SHARE {
        return Ok(look(vfs)?.into_iter().collect());
    }
    let cpus = thread::available_parallelism().map_or(1, NonZero::get);
    let shares: Vec<&[Vf]> = vfs.chunks(vfs.len().div_ceil(cpus).max(SHARE)).collect();
    let found = threads::each(&shares, |vfs| look(vfs));
    let mut sides = BTreeMap::new();
    for found in found {
        sides.extend(found?);
    }
    Ok(sides)
}

/// The permanent address of an interface, and whether it is up.
fn interface_of(host: &Host, uplink: &Uplink) -> Result<(Option<Mac>, Option<bool>), LookError> {
    let index = uplink.index;
    let link = uplink.speak(host, |conn| interface::with_index(conn, index))?;
    let Ok(Some(link)) = link else {
        return Ok((None, None));
    };
    let is_ethernet = LinkLayer::of_hardware(link.hardware) == Some(LinkLayer::Ethernet);
    let mac = link.permanent.try_into().ok().map(Mac::new);
    let mac = mac.filter(|mac| is_ethernet && !mac.is_zero());
    Ok((mac, Some(link.up)))
}

fn port_guid(host: &Host, address: PciAddr) -> Result<Option<Guid>, SysfsError> {
    let names = rdma_names(host.sysfs(), &DeviceId::Pci(address))?;
    let folder = function::folder(address).join("infiniband");
    let folder = folder.to_string_lossy();
    let mut devices = names
        .into_iter()
        .map(|name| vf_side::rdma(host.sysfs(), &folder, name));
    let guid = devices.find_map(|device| device.port_guid);
    Ok(guid.filter(|guid| guid.is_assignable()))
}

/// What a PF can be found by.
struct Marks {
    guid: Option<Guid>,
    mac: Option<Mac>,
    netdevs: Vec<IfName>,
    kind: Option<(u16, u16)>,
    serial: Option<String>,
}

impl Marks {
    fn of(host: &Host, pf: &Pf, wants_mac: bool) -> Result<Self, LookError> {
        let (sysfs, address) = (host.sysfs(), pf.address);
        let function = function::read(sysfs, address)?;
        let uplink = match wants_mac {
            true => uplink::find(host, address)?,
            false => None,
        };
        Ok(Self {
            guid: port_guid(host, address)?,
            mac: match &uplink {
                Some(uplink) => interface_of(host, uplink)?.0,
                None => None,
            },
            netdevs: function::netdevs(sysfs, address)?,
            kind: function.and_then(|function| function.vendor.zip(function.device)),
            serial: None,
        })
    }

    fn fit(&self, address: PciAddr, wanted: &Match) -> bool {
        wanted.pci.is_none_or(|pci| pci == address)
            && wanted.guid.is_none_or(|guid| self.guid == Some(guid))
            && (wanted.serial.is_none() || self.serial == wanted.serial)
            && wanted.perm_mac.is_none_or(|mac| self.mac == Some(mac))
            && wanted
                .vendor_device
                .is_none_or(|kind| self.kind == Some(kind))
            && wanted
                .netdev
                .as_ref()
                .is_none_or(|name| self.netdevs.contains(name))
    }
}

fn host_state(host: &Host, document: &Document, pfs: &[Found]) -> Result<HostState, LookError> {
    // A dozen files say what is configured; that matters to those who ask for a mode.
    let netns = match document.rdma_netns {
        Some(_) => boot::settings(host),
        None => boot::running_alone(host),
    };
    // The lists of modules are long, and this one matters to PFs without an interface.
    let lacks_uplink = |state: &PfState| state.up.is_none();
    let ipoib = match pfs.iter().filter_map(Found::one).any(lacks_uplink) {
        true => ipoib::MODULE.parse().ok(),
        false => None,
    };
    let modules = document.modules.iter().cloned().chain(ipoib);
    let modules = modules.map(|module| {
        let there = modules::availability(host, module.as_str());
        (module, there)
    });
    let modules = modules.collect();
    // The look at every process is for when they matter.
    let changes = document.rdma_netns.is_some() && document.rdma_netns != netns.running;
    let namespaces = match changes {
        true => namespaces::others(host)?.namespaces,
        false => Vec::new(),
    };
    Ok(HostState {
        netns,
        other_namespaces: namespaces.len(),
        namespaces,
        modules,
    })
}

//! `Holder`: who has a GUID already. Two with one GUID break the subnet for both.

use std::collections::{BTreeMap, BTreeSet};

use super::link_layer::LinkLayer;
use super::pf::{self, Pf, Vf};
use super::report::{self, Report};
use super::vf_side::{self, FIRST_PORT};
use crate::kernel::Host;
use crate::pci::function;
use crate::types::{Guid, PciAddr};
use crate::wire::nldev::device::{self, Device};

const CLASS: &str = "class/infiniband";

/// Who has a GUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A VF was given it through its PF.
    Vf {
        /// The PF.
        pf: PciAddr,
        /// The VF.
        vf: Vf,
    },
    /// An RDMA device uses it.
    Device {
        /// Its name.
        name: String,
    },
}

/// The first of `guids` that somebody has as node or port GUID, and who; `vf` itself may have it.
///
/// Looked at are the VFs of `pf`, of which `report` tells, those of the other PFs, and the RDMA
/// devices of the namespace that sysfs belongs to. What cannot be looked at is left out.
pub fn find(
    host: &Host,
    pf: &Pf,
    report: &Report,
    vf: Vf,
    guids: &[Guid],
) -> Option<(Guid, Holder)> {
    if guids.is_empty() {
        return None;
    }
    let own = among(pf, report, vf, guids);
    own.or_else(|| elsewhere(host, pf, vf, guids))
        .or_else(|| in_use(host, vf, guids))
}

/// Those of `guids` that somebody has, and who, whatever their number at the price of one look
/// around. The VFs of `excused` may have them: they are about to be given others.
///
/// # Errors
/// None: what cannot be looked at is left out, as by [`find`].
pub fn taken(
    host: &Host,
    excused: &BTreeSet<PciAddr>,
    guids: &BTreeSet<Guid>,
) -> Vec<(Guid, Holder)> {
    let mut taken = Vec::new();
    if guids.is_empty() {
        return taken;
    }
    let has = |own: [Option<Guid>; 2]| own.into_iter().flatten().find(|guid| guids.contains(guid));
    let mut pfs = pf::list(host.sysfs()).unwrap_or_default();
    pfs.retain(|pf| pf.vfs.iter().any(|vf| !excused.contains(&vf.address)));
    let reports = report::of_all(host, &pfs).unwrap_or_default();
    for (pf, report) in pfs.iter().zip(reports) {
        let Ok(report) = report else { continue };
        for vf in &pf.vfs {
            let is_proof = !report.unproven.contains(&vf.index) && !excused.contains(&vf.address);
            let told = report.told.get(&vf.index).filter(|_| is_proof);
            let guid = told.and_then(|told| has([told.node_guid, told.port_guid]));
            let holder = Holder::Vf {
                pf: pf.address,
                vf: *vf,
            };
            taken.extend(guid.map(|guid| (guid, holder)));
        }
    }
    taken.extend(devices(host, &has, &|function| {
        function.is_some_and(|function| excused.contains(&function))
    }));
    taken
}

fn among(pf: &Pf, report: &Report, except: Vf, guids: &[Guid]) -> Option<(Guid, Holder)> {
    let is_proof = |vf: &&Vf| **vf != except && !report.unproven.contains(&vf.index);
    let others = pf.vfs.iter().filter(is_proof);
    others.copied().find_map(|vf| {
        let told = report.told.get(&vf.index)?;
        let guid = held(guids, [told.node_guid, told.port_guid])?;
        let pf = pf.address;
        Some((guid, Holder::Vf { pf, vf }))
    })
}

fn elsewhere(host: &Host, pf: &Pf, except: Vf, guids: &[Guid]) -> Option<(Guid, Holder)> {
    let mut pfs = pf::others(host.sysfs(), Some(pf)).ok()?;
    pfs.retain(|other| !other.vfs.is_empty());
    let reports = report::of_all(host, &pfs).ok()?;
    pfs.iter().zip(reports).find_map(|(pf, report)| {
        let report = report.ok()?;
        let is_ib = report.layer == Some(LinkLayer::InfiniBand);
        is_ib.then(|| among(pf, &report, except, guids))?
    })
}

fn in_use(host: &Host, except: Vf, guids: &[Guid]) -> Option<(Guid, Holder)> {
    let has = |own| held(guids, own);
    let is_itself = |function| function == Some(except.address);
    devices(host, &has, &is_itself).next()
}

/// The RDMA devices of the namespace that sysfs belongs to, as far as `has` finds a GUID among
/// theirs and whoever they are of is not `excused`.
fn devices<'a>(
    host: &'a Host,
    has: &'a dyn Fn([Option<Guid>; 2]) -> Option<Guid>,
    excused: &'a dyn Fn(Option<PciAddr>) -> bool,
) -> impl Iterator<Item = (Guid, Holder)> + 'a {
    let sysfs = host.sysfs();
    let names = sysfs.list_if_there("class/infiniband").unwrap_or_default();
    let listed = match names.is_empty() {
        true => BTreeMap::new(),
        false => node_guids(host),
    };
    names.into_iter().filter_map(move |name| {
        let node_guid = match listed.get(&name) {
            Some(guid) => *guid,
            None => vf_side::node_guid(sysfs, CLASS, &name),
        };
        let guid = has([node_guid, None]).or_else(|| {
            let port = vf_side::port_guid(sysfs, CLASS, &name, FIRST_PORT);
            has([port, None])
        })?;
        // Whose it is matters for the one that has the GUID, not for a hundred others.
        let function = function::of_member(sysfs, "infiniband", &name).ok()?;
        (!excused(function)).then_some((guid, Holder::Device { name }))
    })
}

/// Node GUIDs by the names of their devices, from one listing; a listing may leave some out.
fn node_guids(host: &Host) -> BTreeMap<String, Option<Guid>> {
    let listed = host.rdma().and_then(|mut conn| {
        let devices = conn.list(&device::dump(), Device::decode)?;
        let guids = devices.into_iter();
        Ok(guids
            .map(|device| (device.name, device.node_guid))
            .collect())
    });
    listed.unwrap_or_default()
}

fn held(wanted: &[Guid], has: [Option<Guid>; 2]) -> Option<Guid> {
    let mut has = has.into_iter().flatten();
    has.find(|guid| wanted.contains(guid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use crate::wire::link::vf::Vf as Told;

    #[test]
    fn a_sibling_and_a_stranger_but_not_itself() {
        let device = |name: &str, function: &str, guid: &str| {
            let folder = format!("sys/devices/{function}/infiniband/{name}");
            (folder, format!("{guid}\n"), function.to_owned())
        };
        let mut machine = Machine::new();
        for (folder, guid, function) in [
            device("mlx5_0", "0000:01:00.0", "0000:0000:0000:0011"),
            device("mlx5_1", "0000:01:10.0", "0000:0000:0000:0012"),
        ] {
            let name = folder.rsplit('/').next().unwrap().to_owned();
            machine = machine
                .file(&format!("{folder}/node_guid"), guid)
                .link(&format!("{folder}/device"), &format!("../../../{function}"))
                .link(
                    &format!("sys/class/infiniband/{name}"),
                    &format!("../../devices/{function}/infiniband/{name}"),
                );
        }
        let host = machine.host();
        let vf = |index: u16| Vf {
            index,
            address: format!("0000:01:10.{index}").parse().unwrap(),
        };
        let pf = Pf {
            address: "0000:01:00.0".parse().unwrap(),
            total_vfs: 2,
            vfs: vec![vf(0), vf(1), vf(2)],
        };
        let told = |index, port| Told {
            index,
            port_guid: Some(Guid::new(port)),
            node_guid: Some(Guid::new(0)),
            ..Told::default()
        };
        let report = Report {
            layer: Some(LinkLayer::InfiniBand),
            uplink: None,
            told: BTreeMap::from([(0, told(0, 0x21)), (1, told(1, 0x22)), (2, told(2, 0x23))]),
            unproven: BTreeSet::from([2]),
            gap: None,
        };
        let who = |guid: u64| {
            let found = find(&host, &pf, &report, vf(0), &[Guid::new(1), Guid::new(guid)]);
            found.map(|(_, holder)| holder)
        };
        let sibling = Holder::Vf {
            pf: pf.address,
            vf: vf(1),
        };
        assert_eq!(who(0x22), Some(sibling));
        let name = "mlx5_0".to_owned();
        assert_eq!(who(0x11), Some(Holder::Device { name }));
        assert_eq!((who(0x21), who(0x12), who(0x99)), (None, None, None));
        // What a vendor's file says of VF 2 may be another's.
        assert_eq!(who(0x23), None);
        assert_eq!(find(&host, &pf, &report, vf(0), &[]), None);
        // Many at once: the device outside is a holder, the VF that is about to change is none.
        let guids = BTreeSet::from([0x11, 0x12, 0x99].map(Guid::new));
        let changing = BTreeSet::from([vf(0).address]);
        let outside = Holder::Device {
            name: "mlx5_0".to_owned(),
        };
        assert_eq!(
            taken(&host, &changing, &guids),
            [(Guid::new(0x11), outside)]
        );
        assert_eq!(taken(&host, &BTreeSet::new(), &guids).len(), 2);
    }
}

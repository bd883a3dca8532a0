//! `Holder`: who has a GUID already. Two with one GUID break the subnet for both.

use std::collections::BTreeSet;

use super::known_guid::{self, Known};
use super::link_layer::LinkLayer;
use super::pf::{self, Pf, Vf};
use super::report::{self, Report};
use super::vf_side::{self, FIRST_PORT};
use crate::kernel::Host;
use crate::pci::function;
use crate::types::{Guid, PciAddr};
use crate::wire::nldev::device::{self, Device};

const CLASS: &str = "class/infiniband";

/// With more RDMA devices than these, a listing of interfaces is cheaper than a look at the GID of each.
const FEW: usize = 16;

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
    own.or_else(|| {
        let others = elsewhere(host, pf);
        let mut others_have = others
            .iter()
            .filter_map(|(pf, report)| among(pf, report, vf, guids));
        let found = others_have.next();
        found.or_else(|| {
            let others = others.iter().map(|(pf, report)| (pf, report));
            let told: Vec<_> = others.chain([(pf, report)]).collect();
            in_use(host, &told, vf, guids)
        })
    })
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
    taken.extend(devices(host, &[], &has, &|function| {
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

/// The other PFs that speak InfiniBand and have VFs, with what they tell.
fn elsewhere(host: &Host, pf: &Pf) -> Vec<(Pf, Report)> {
    let mut pfs = pf::others(host.sysfs(), Some(pf)).unwrap_or_default();
    pfs.retain(|other| !other.vfs.is_empty());
    let reports = report::of_all(host, &pfs).unwrap_or_default();
    let pairs = pfs.into_iter().zip(reports);
    pairs
        .filter_map(|(pf, report)| Some((pf, report.ok()?)))
        .filter(|(_, report)| report.layer == Some(LinkLayer::InfiniBand))
        .collect()
}

fn in_use(
    host: &Host,
    told: &[(&Pf, &Report)],
    except: Vf,
    guids: &[Guid],
) -> Option<(Guid, Holder)> {
    let has = |own| held(guids, own);
    let is_itself = |function| function == Some(except.address);
    devices(host, told, &has, &is_itself).next()
}

/// The RDMA devices of the namespace that sysfs belongs to, as far as `has` finds a GUID among
/// theirs and whoever they are of is not `excused`. `told` is what PFs tell of their VFs.
fn devices<'a>(
    host: &'a Host,
    told: &[(&Pf, &Report)],
    has: &'a dyn Fn([Option<Guid>; 2]) -> Option<Guid>,
    excused: &'a dyn Fn(Option<PciAddr>) -> bool,
) -> impl Iterator<Item = (Guid, Holder)> + 'a {
    let sysfs = host.sysfs();
    let names = sysfs.list_if_there("class/infiniband").unwrap_or_default();
    let mut listed = match names.is_empty() {
        true => Vec::new(),
        false => listed(host),
    };
    if names.len() > FEW {
        known_guid::add_ports(host, told, &mut listed);
    }
    names.into_iter().filter_map(move |name| {
        let known = listed.binary_search_by(|known| known.name.cmp(&name));
        let known = known.ok().map(|at| &listed[at]);
        let node_guid = match known {
            Some(known) => known.node,
            None => vf_side::node_guid(sysfs, CLASS, &name),
        };
        let guid = has([node_guid, None]).or_else(|| {
            let port = known.and_then(|known| known.port);
            let port = port.or_else(|| vf_side::port_guid(sysfs, CLASS, &name, FIRST_PORT));
            has([port, None])
        })?;
        // Whose it is matters for the one that has the GUID, not for a hundred others.
        let function = function::of_member(sysfs, "infiniband", &name).ok()?;
        (!excused(function)).then_some((guid, Holder::Device { name }))
    })
}

/// Devices by name with their node GUIDs, from one listing, which may leave some out.
fn listed(host: &Host) -> Vec<Known> {
    let devices = host
        .rdma()
        .and_then(|mut conn| conn.list(&device::dump(), Device::decode_guid));
    let known = devices.unwrap_or_default().into_iter().map(|device| Known {
        name: device.name,
        node: device.node_guid,
        port: None,
    });
    let mut known: Vec<Known> = known.collect();
    known.sort_by(|one, other| one.name.cmp(&other.name));
    known
}

fn held(wanted: &[Guid], has: [Option<Guid>; 2]) -> Option<Guid> {
    let mut has = has.into_iter().flatten();
    has.find(|guid| wanted.contains(guid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Machine};
    use crate::wire::Request;
    use crate::wire::link::vf::Vf as Told;
    use std::collections::BTreeMap;

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

    /// Twenty VFs, each with a device and an interface. What the PF tells of the second is news to its driver, the third
    /// has an interface with another address, and of the fourth the PF tells no port GUID.
    #[test]
    fn a_guid_that_gid_0_alone_shows() {
        const NODE: u64 = 0x100;
        const PORT: u64 = 0x200;
        const GID: u64 = 0x300;
        let pf: PciAddr = "0000:01:00.0".parse().unwrap();
        let vf = |index: u16| Vf {
            index,
            address: format!("0000:01:0{}.{}", 1 + index / 8, index % 8)
                .parse()
                .unwrap(),
        };
        let mut machine = Machine::new();
        for index in 0..20 {
            let (name, function) = (format!("mlx5_{index}"), vf(index).address);
            let folder = format!("sys/devices/{function}/infiniband/{name}");
            let gid = Guid::new(GID + u64::from(index)).quads();
            machine = machine
                .file(
                    &format!("{folder}/ports/1/gids/0"),
                    format!("fe80:0000:0000:0000:{gid}\n"),
                )
                .link(&format!("{folder}/device"), &format!("../../../{function}"))
                .link(
                    &format!("sys/class/infiniband/{name}"),
                    &format!("../../devices/{function}/infiniband/{name}"),
                );
        }
        let kernel = std::sync::Arc::new(move |kind: u16, _: &[u8]| {
            let entries = (0..20).map(|index: u16| {
                if kind == device::dump().kind() {
                    let node = (NODE + u64::from(index)).to_ne_bytes();
                    let entry = Request::new(0).u32(1, index.into());
                    let entry = entry.text(2, &format!("mlx5_{index}"));
                    return entry.u32(3, 1).bytes(6, &node).body().to_vec();
                }
                let mut fixed = [0; 16];
                fixed[2] = 32;
                fixed[4] = 1 + index as u8;
                let port = match index {
                    1 => 0x999,
                    _ => PORT + u64::from(index),
                };
                let address = [&[0; 12][..], &port.to_be_bytes()].concat();
                let link = Request::new(0).fixed(&fixed).bytes(1, &address);
                let parent = match index {
                    2 => "0000:09:00.0".to_owned(),
                    _ => vf(index).address.to_string(),
                };
                link.text(56, &parent).body().to_vec()
            });
            Answer::Data(entries.collect())
        });
        let host = machine.host_with(kernel);
        let pf = Pf {
            address: pf,
            total_vfs: 20,
            vfs: (0..20).map(vf).collect(),
        };
        let told = |index: u16| Told {
            index: index.into(),
            node_guid: Some(Guid::new(NODE + u64::from(index))),
            port_guid: match index {
                3 => Some(Guid::new(0)),
                _ => Some(Guid::new(PORT + u64::from(index))),
            },
            ..Told::default()
        };
        let report = Report {
            layer: Some(LinkLayer::InfiniBand),
            uplink: None,
            told: (0..20).map(|index| (index, told(index))).collect(),
            unproven: BTreeSet::from([4]),
            gap: None,
        };
        let has = |guid: u64| {
            let found = find(&host, &pf, &report, vf(0), &[Guid::new(guid)]);
            found.is_some()
        };
        // Of these GID 0 is read.
        assert_eq!([1, 2, 3, 4].map(|index| has(GID + index)), [true; 4]);
        // Two tell the port GUIDs of the rest alike.
        assert_eq!([5, 19].map(|index| has(GID + index)), [false; 2]);
        assert_eq!([5, 19].map(|index| has(PORT + index)), [true; 2]);
        assert_eq!([5, 19].map(|index| has(NODE + index)), [true; 2]);
    }
}

//! GUIDs of InfiniBand VFs: missing, given out twice, not taken by the driver.

use std::collections::{BTreeMap, BTreeSet};

use super::adapter::{Adapter, INFINIBAND, VfSeat};
use super::finding::ranges;
use super::{Facts, Finding, Id};
use crate::sriov::derived_guid::derived;
use crate::sriov::pf::Vf;
use crate::types::{Guid, PciAddr};

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let all = facts.adapters().iter();
    let adapters: Vec<&Adapter> = all.filter(|adapter| adapter.is_infiniband(facts)).collect();
    let holders = holders(facts, &adapters);
    let mut spare = Spare {
        taken: holders.keys().copied().collect(),
    };
    let mut found = Vec::new();
    for adapter in &adapters {
        found.extend(zero(facts, adapter, &mut spare));
        found.extend(pending(facts, adapter));
    }
    found.extend(duplicate(facts, &adapters, &holders, &mut spare));
    found
}

/// Who has a GUID, and where that was read.
#[derive(Debug, Clone)]
struct Holder {
    function: PciAddr,
    is_vf: bool,
    place: String,
    what: String,
}

/// Which functions have which GUID. That a function has one as node and port GUID is usual.
fn holders(facts: &Facts<'_>, adapters: &[&Adapter]) -> BTreeMap<Guid, Vec<Holder>> {
    let mut found: BTreeMap<Guid, Vec<Holder>> = BTreeMap::new();
    let mut hold = |guid: Option<Guid>, (function, is_vf): (PciAddr, bool), place: &str, what| {
        let Some(guid) = guid.filter(|guid| guid.is_assignable()) else {
            return;
        };
        let holders = found.entry(guid).or_default();
        if holders.iter().all(|holder| holder.function != function) {
            let place = place.to_owned();
            holders.push(Holder {
                function,
                is_vf,
                place,
                what,
            });
        }
    };
    for adapter in adapters {
        let pf = adapter.pf.address;
        for name in &adapter.seat.rdma {
            let guid = facts.device(name).and_then(|device| device.node_guid);
            hold(
                guid,
                (pf, false),
                "rdma dev show",
                format!("PF {pf}, {name}"),
            );
        }
        for vf in &adapter.vfs {
            let what = format!("VF {}", adapter.vf_word(vf.vf));
            let told = vf.told.unwrap_or_default();
            let (by, here) = (adapter.shown_by(), (vf.vf.address, true));
            hold(told.node_guid, here, &by, format!("node GUID of {what}"));
            hold(told.port_guid, here, &by, format!("port GUID of {what}"));
            let own = vf.own_guid(facts);
            hold(own, here, "rdma dev show", format!("driver of {what}"));
        }
    }
    for holders in found.values_mut() {
        holders.sort_by_key(|holder| holder.is_vf);
    }
    found
}

fn is_unset(guid: Option<Guid>) -> bool {
    guid.is_some_and(|guid| !guid.is_assignable())
}

fn zero(facts: &Facts<'_>, adapter: &Adapter, spare: &mut Spare) -> Option<Finding> {
    let is_bare = |vf: &&VfSeat| match vf.told {
        Some(told) if told.node_guid.is_some() || told.port_guid.is_some() => {
            is_unset(told.node_guid) || is_unset(told.port_guid)
        }
        // The PF does not tell: the driver does, of a VF that is here.
        _ => is_unset(vf.own_guid(facts)),
    };
    let bare: Vec<&VfSeat> = adapter.vfs.iter().filter(is_bare).collect();
    if bare.is_empty() {
        return None;
    }
    let numbers = |told: bool| {
        let vfs = bare.iter().filter(move |vf| is_told(vf) == told);
        ranges(vfs.map(|vf| vf.vf.index))
    };
    let mut finding = Finding::about(Id::VfsGuidZero, adapter.word());
    for (place, vfs) in [
        (adapter.shown_by(), numbers(true)),
        ("rdma dev show".to_owned(), numbers(false)),
    ] {
        if !vfs.is_empty() {
            finding = finding.saw(place, format!("node or port GUID unset: VFs {vfs}"));
        }
    }
    let set = |finding: Finding, vf: &VfSeat| finding.run(set_guid(adapter, vf.vf, spare));
    Some(bare.into_iter().fold(finding, set))
}

fn is_told(vf: &VfSeat) -> bool {
    vf.told
        .is_some_and(|told| told.node_guid.is_some() || told.port_guid.is_some())
}

fn set_guid(adapter: &Adapter, vf: Vf, spare: &mut Spare) -> String {
    let guid = spare.derived(adapter, vf.index);
    let guid = guid.map_or_else(|| "GUID".to_owned(), |guid| guid.to_string());
    format!(
        "rdmactl vf set {} guid {guid} --rebind",
        adapter.vf_word(vf)
    )
}

fn pending(facts: &Facts<'_>, adapter: &Adapter) -> Option<Finding> {
    let is_pending = |vf: &&VfSeat| {
        let told = vf.told.and_then(|told| told.node_guid);
        let told = told.filter(|guid| guid.is_assignable());
        told.is_some_and(|told| vf.own_guid(facts).is_some_and(|own| own != told))
    };
    let late: Vec<&VfSeat> = adapter.vfs.iter().filter(is_pending).collect();
    if late.is_empty() {
        return None;
    }
    let mut finding = Finding::about(Id::VfsGuidPending, adapter.word());
    for vf in late {
        let told = vf.told.and_then(|told| told.node_guid);
        let texts = (told.map(|guid| guid.to_string()), vf.own_guid(facts));
        if let (Some(told), Some(own)) = texts {
            let index = vf.vf.index;
            finding = finding.saw(
                adapter.shown_by(),
                format!("VF {index} has {told}, and its driver {own}"),
            );
        }
        finding = finding.run(format!("rdmactl vf rebind {}", adapter.vf_word(vf.vf)));
    }
    Some(finding)
}

fn duplicate(
    facts: &Facts<'_>,
    adapters: &[&Adapter],
    holders: &BTreeMap<Guid, Vec<Holder>>,
    spare: &mut Spare,
) -> Vec<Finding> {
    let mut found = Vec::new();
    // Several ports of one adapter may share a node GUID.
    let is_clash = |holders: &[Holder]| holders.len() > 1 && holders.iter().any(|h| h.is_vf);
    for (guid, holders) in holders.iter().filter(|(_, holders)| is_clash(holders)) {
        let mut finding = Finding::about(Id::VfsGuidDuplicate, guid.to_string());
        for holder in holders {
            finding = finding.saw(holder.place.as_str(), holder.what.as_str());
        }
        // The first may keep it; a PF, which comes before VFs, has it for good.
        for holder in holders.iter().skip(1) {
            let of_adapter = |adapter: &&&Adapter| adapter.pf.vf_at(holder.function).is_some();
            let Some(adapter) = adapters.iter().find(of_adapter) else {
                continue;
            };
            if let Some(vf) = adapter.pf.vf_at(holder.function) {
                let seat = adapter.vfs.iter().find(|seat| seat.vf == vf);
                let told = seat
                    .and_then(|seat| seat.told)
                    .and_then(|told| told.node_guid);
                let own = seat.and_then(|seat| seat.own_guid(facts));
                // Taken over by nobody: the driver only has to read the one it was given since.
                let is_old = own == Some(*guid)
                    && told.is_some_and(|told| told != *guid && told.is_assignable());
                finding = finding.run(match is_old {
                    true => format!("rdmactl vf rebind {}", adapter.vf_word(vf)),
                    false => set_guid(adapter, vf, spare),
                });
            }
        }
        found.push(finding);
    }
    found
}

/// GUIDs that nobody has.
struct Spare {
    taken: BTreeSet<Guid>,
}

impl Spare {
    /// The GUID of a VF that follows from the PF's own, as `ib-sriov` makes it. `None` when the PF
    /// tells none, or somebody has the result.
    fn derived(&mut self, adapter: &Adapter, index: u16) -> Option<Guid> {
        let link = adapter.link.as_ref()?;
        let of_port: &[u8; 8] = (link.hardware == INFINIBAND)
            .then(|| link.address.last_chunk())
            .flatten()?;
        let of_port = Some(Guid::from_bytes(*of_port)).filter(|guid| guid.is_assignable())?;
        let guid = derived(of_port, index, "")?;
        self.taken.insert(guid).then_some(guid)
    }
}

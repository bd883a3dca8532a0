//! MAC addresses of Ethernet VFs: missing, or given out twice.

use std::collections::BTreeMap;

use super::adapter::{Adapter, ETHERNET};
use super::finding::ranges;
use super::{Facts, Finding, Id};
use crate::types::Mac;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let is_ethernet = |adapter: &&Adapter| {
        let link = adapter.link.as_ref();
        link.is_some_and(|link| link.hardware == ETHERNET)
    };
    let adapters: Vec<&Adapter> = facts.adapters().iter().filter(is_ethernet).collect();
    let mut found: Vec<Finding> = adapters
        .iter()
        .filter_map(|adapter| unset(adapter))
        .collect();
    found.extend(duplicate(&adapters));
    found
}

/// A VF without RDMA does well with an address that its driver makes up.
fn unset(adapter: &Adapter) -> Option<Finding> {
    let has_rdma = adapter.seat.has_verbs || adapter.vfs.iter().any(|vf| vf.seat.has_verbs);
    let bare: Vec<_> = adapter
        .vfs
        .iter()
        .filter(|vf| vf.told.and_then(|told| told.mac).is_some_and(Mac::is_zero))
        .map(|vf| vf.vf)
        .collect();
    if bare.is_empty() || !has_rdma {
        return None;
    }
    let numbers = ranges(bare.iter().map(|vf| vf.index));
    let finding = Finding::about(Id::VfsMacUnset, adapter.word())
        .saw(adapter.shown_by(), format!("MAC 00:00:00:00:00:00: VFs {numbers}"))
        .advise("give each an address that no other has, and that is locally administered (02 in the first byte)");
    let set = |finding: Finding, vf| {
        finding.run(format!(
            "rdmactl vf set {} mac MAC --rebind",
            adapter.vf_word(vf)
        ))
    };
    Some(bare.into_iter().fold(finding, set))
}

fn duplicate(adapters: &[&Adapter]) -> Vec<Finding> {
    let mut holders: BTreeMap<Mac, Vec<(String, Option<String>)>> = BTreeMap::new();
    for adapter in adapters {
        let own = adapter.link.as_ref().map(|link| link.address.as_slice());
        if let Some(mac) = own.and_then(|bytes| bytes.try_into().ok()).map(Mac::new) {
            let seen = (adapter.shown_by(), None);
            holders.entry(mac).or_default().push(seen);
        }
        for vf in &adapter.vfs {
            if let Some(mac) = vf.told.and_then(|told| told.mac) {
                let seen = (adapter.shown_by(), Some(adapter.vf_word(vf.vf)));
                holders.entry(mac).or_default().push(seen);
            }
        }
    }
    // The interfaces of a bond have one address on purpose.
    let is_clash = |holders: &[(String, Option<String>)]| {
        holders.len() > 1 && holders.iter().any(|(_, vf)| vf.is_some())
    };
    let twice = holders
        .into_iter()
        .filter(|(mac, holders)| !mac.is_zero() && is_clash(holders));
    twice
        .map(|(mac, mut holders)| {
            holders.sort_by_key(|(_, vf)| vf.is_some());
            let finding = Finding::about(Id::VfsMacDuplicate, mac.to_string())
                .advise("give each VF an address that no other has, and that is locally administered (02 in the first byte)");
            let finding = holders.iter().fold(finding, |finding, (place, vf)| {
                let who = vf.as_ref().map_or("the PF".to_owned(), |vf| format!("VF {vf}"));
                finding.saw(place.as_str(), who)
            });
            // The first may keep it.
            let others = holders.iter().skip(1).filter_map(|(_, vf)| vf.as_ref());
            others.fold(finding, |finding, vf| {
                finding.run(format!("rdmactl vf set {vf} mac MAC --rebind"))
            })
        })
        .collect()
}

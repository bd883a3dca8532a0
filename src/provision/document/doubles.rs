//! What is in a document twice, in one file or in two: a function, an address.

use std::collections::HashMap;

use super::addresses::Address;
use super::{Count, Document, Fault, PfEntry, Scheme};
use crate::types::Guid;

/// Functions that two entries mean, and addresses that two VFs would get.
pub(super) fn find(document: &Document) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, entry) in document.pfs.iter().enumerate() {
        let earlier = &document.pfs[..at];
        if let Some(other) = earlier.iter().find(|other| is_same(other, entry)) {
            let what = format!("this PF is at {} already", other.place);
            faults.push(fault(entry, what));
        }
    }
    let guids = |entry: &PfEntry| {
        let own = entry.vfs.iter().flat_map(|vf| {
            let wish = &vf.vf.wish;
            // Node and port GUID of one VF may be the same.
            let both = [
                wish.node_guid,
                wish.port_guid.filter(|port| wish.node_guid != Some(*port)),
            ];
            both.into_iter().flatten()
        });
        (spans(entry, &entry.guid), own.collect())
    };
    let macs = |entry: &PfEntry| {
        let own = entry.vfs.iter().filter_map(|vf| vf.vf.wish.mac);
        (spans(entry, &entry.mac), own.collect())
    };
    for entry in &document.pfs {
        let (spans, own): Given<Guid> = guids(entry);
        let singles = own.into_iter().map(|guid| (guid, guid));
        let all: Vec<_> = spans.into_iter().chain(singles).collect();
        let taken = document.reserved.iter().find_map(|(first, last)| {
            let met = all
                .iter()
                .find(|(start, end)| start <= last && first <= end);
            met.map(|(start, _)| start.max(first))
        });
        if let Some(guid) = taken {
            let what = format!("GUID {guid} is among those that host has as reserved");
            faults.push(fault(entry, what));
        }
    }
    faults.extend(addresses(document, guids));
    faults.extend(addresses(document, macs));
    faults
}

/// Two entries that share a condition which only one function can meet.
fn is_same(a: &PfEntry, b: &PfEntry) -> bool {
    let (a, b) = (&a.function, &b.function);
    let shared = |same: bool, is_there: bool| same && is_there;
    shared(a.guid == b.guid, a.guid.is_some())
        || shared(a.pci == b.pci, a.pci.is_some())
        || shared(a.perm_mac == b.perm_mac, a.perm_mac.is_some())
        || shared(a.netdev == b.netdev, a.netdev.is_some())
        || a == b
}

/// The addresses that a scheme gives outright, as the first and the last of each run, less those
/// of VFs with one of their own.
fn spans<T: Address>(entry: &PfEntry, scheme: &Scheme<T>) -> Vec<(T, T)> {
    match scheme {
        Scheme::List(list) => list.iter().map(|each| (*each, *each)).collect(),
        Scheme::Range { start, end } => {
            // Only what the VFs will get is taken.
            let used = match entry.num_vfs {
                Some(Count::Number(number)) => u64::from(number),
                _ => u64::MAX,
            };
            let last = start.number().saturating_add(used.saturating_sub(1));
            let last = last.min(end.number());
            if used == 0 {
                return Vec::new();
            }
            vec![(*start, T::of_number(last))]
        }
        Scheme::Derived | Scheme::File(_) | Scheme::Keep | Scheme::Unmanaged => Vec::new(),
    }
}

type Given<T> = (Vec<(T, T)>, Vec<T>);

fn addresses<T: Address + std::hash::Hash>(
    document: &Document,
    of: impl Fn(&PfEntry) -> Given<T>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut runs: Vec<(T, T, &PfEntry)> = Vec::new();
    let mut singles: HashMap<T, &PfEntry> = HashMap::new();
    for entry in &document.pfs {
        let (spans, own) = of(entry);
        for (first, last) in spans {
            let is_met = |run: &&(T, T, &PfEntry)| run.0 <= last && first <= run.1;
            if let Some((start, _, other)) = runs.iter().find(is_met) {
                let both = first.max(*start);
                let what = format!("{} {both} is given at {} already", T::WHAT, other.place);
                faults.push(fault(entry, what));
            }
            runs.push((first, last, entry));
        }
        for address in own {
            if let Some(other) = singles.insert(address, entry) {
                let what = format!("{} {address} is given at {} already", T::WHAT, other.place);
                faults.push(fault(entry, what));
            }
        }
    }
    faults
}

fn fault(entry: &PfEntry, what: String) -> Fault {
    Fault {
        place: entry.place.clone(),
        what,
        near: Vec::new(),
    }
}

//! Port GUIDs that a PF and the interface of its VF tell alike: GID 0 need not be read.

use std::collections::BTreeMap;

use super::pf::{Pf, Vf};
use super::report::Report;
use crate::kernel::Host;
use crate::netdev::interface;
use crate::types::{Guid, PciAddr};
use crate::wire::link::message::Link;

/// `ARPHRD_INFINIBAND` (`uapi/linux/if_arp.h`).
const ARPHRD_INFINIBAND: u16 = 32;

/// Port GUIDs by the names of their devices, of which `listed` has the node GUIDs; a device is left out where there is any
/// doubt.
///
/// What the PF tells alone may be news to the driver, which asks when it is bound; its interface has the port GUID that the
/// driver uses (`ipoib_dev_init` and `ipoib_dev_addr_changed_valid`, drivers/infiniband/ulp/ipoib). A device is that of
/// the VF whose node GUID nobody else has.
pub(super) fn ports(
    host: &Host,
    told: &[(&Pf, &Report)],
    listed: &BTreeMap<String, Option<Guid>>,
) -> BTreeMap<String, Guid> {
    let vfs = told.iter().flat_map(|(pf, report)| {
        let of_vf = move |vf: &Vf| Some((*vf, report.told.get(&vf.index)?, report));
        pf.vfs.iter().filter_map(of_vf)
    });
    let nodes = only(vfs.clone().filter_map(|(vf, told, report)| {
        let port = told.port_guid.filter(|guid| guid.is_assignable());
        let port = port.filter(|_| !report.unproven.contains(&vf.index));
        let node = told.node_guid.filter(|guid| guid.is_assignable());
        Some((node?, (vf.address, port)))
    }));
    if nodes.is_empty() {
        return BTreeMap::new();
    }
    let names = only(
        listed
            .iter()
            .filter_map(|(name, node)| Some(((*node)?, name))),
    );
    let shown = shown(host);
    let known = names.into_iter().filter_map(|(node, name)| {
        let (function, port) = nodes.get(&node)?;
        let port = port.filter(|port| shown.get(function) == Some(port))?;
        Some((name.clone(), port))
    });
    known.collect()
}

/// The port GUIDs that the InfiniBand interfaces of functions show, where all of a function show the same.
fn shown(host: &Host) -> BTreeMap<PciAddr, Guid> {
    let links = host.route().map(|mut conn| interface::list(&mut conn));
    let links = links.ok().and_then(Result::ok).unwrap_or_default();
    let mut shown: BTreeMap<PciAddr, Option<Guid>> = BTreeMap::new();
    let is_ib = |link: &&Link| link.hardware == ARPHRD_INFINIBAND;
    for link in links.iter().filter(is_ib) {
        let function = link.parent.as_ref().and_then(|parent| parent.parse().ok());
        let guid = link
            .address
            .last_chunk()
            .map(|bytes| Guid::from_bytes(*bytes));
        if let Some(function) = function {
            let same = shown.entry(function).or_insert(guid);
            *same = same.filter(|same| Some(*same) == guid);
        }
    }
    let sure = shown.into_iter();
    sure.filter_map(|(function, guid)| Some((function, guid?)))
        .collect()
}

/// Those whose key no other has.
fn only<K: Ord + Clone, V>(pairs: impl Iterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut found: BTreeMap<K, Option<V>> = BTreeMap::new();
    for (key, value) in pairs {
        let is_first = !found.contains_key(&key);
        found.insert(key, Some(value).filter(|_| is_first));
    }
    let alone = found.into_iter();
    alone
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

//! `Known`: an RDMA device with the GUIDs that are known of it without a look at its GID 0.

use super::pf::Pf;
use super::report::Report;
use crate::kernel::Host;
use crate::types::{Guid, PciAddr};
use crate::wire::link::message::dump;
use crate::wire::link::port::Port;

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// Its name.
    pub name: String,
    /// Its node GUID.
    pub node: Option<Guid>,
    /// Its port GUID, where there is no doubt of it.
    pub port: Option<Guid>,
}

/// Adds the port GUIDs that a PF and the interface of its VF tell alike.
///
/// What the PF tells alone may be news to the driver, which asks when it is bound; its interface has the port GUID that the
/// driver uses (`ipoib_dev_init` and `ipoib_dev_addr_changed_valid`, drivers/infiniband/ulp/ipoib). A device is that of
/// the VF whose node GUID nobody else has.
pub(super) fn add_ports(host: &Host, told: &[(&Pf, &Report)], devices: &mut [Known]) {
    let mut vfs: Vec<(Guid, (PciAddr, Option<Guid>))> = Vec::new();
    for (pf, report) in told {
        for vf in &pf.vfs {
            let Some(told) = report.told.get(&vf.index) else {
                continue;
            };
            let port = told.port_guid.filter(|guid| guid.is_assignable());
            let port = port.filter(|_| !report.unproven.contains(&vf.index));
            let node = told.node_guid.filter(|guid| guid.is_assignable());
            vfs.extend(node.map(|node| (node, (vf.address, port))));
        }
    }
    if vfs.is_empty() {
        return;
    }
    vfs.sort_unstable();
    let shown = shown(host);
    let with_node = devices.iter_mut().filter(|device| device.node.is_some());
    let mut devices: Vec<&mut Known> = with_node.collect();
    devices.sort_unstable_by_key(|device| device.node);
    for of_node in devices.chunk_by_mut(|one, other| one.node == other.node) {
        if let [device] = of_node {
            device.port = port(device, &vfs, &shown);
        }
    }
}

fn port(
    device: &Known,
    vfs: &[(Guid, (PciAddr, Option<Guid>))],
    shown: &[(PciAddr, Option<Guid>)],
) -> Option<Guid> {
    let (function, told) = alone(vfs, &device.node?)?;
    let port = alone(shown, function)?;
    port.filter(|_| port == told)
}

/// The functions of InfiniBand interfaces with the port GUIDs that these show; once where all of a function show the same.
fn shown(host: &Host) -> Vec<(PciAddr, Option<Guid>)> {
    let links = host
        .route()
        .and_then(|mut conn| conn.list(&dump(false), Port::decode));
    let ports = links.unwrap_or_default().into_iter().flatten();
    let mut shown: Vec<_> = ports.map(|port| (port.function, port.guid)).collect();
    shown.sort_unstable();
    shown.dedup();
    shown
}

/// What stands beside a key that is there once.
fn alone<'a, K: Ord, V>(sorted: &'a [(K, V)], key: &K) -> Option<&'a V> {
    let from = sorted.partition_point(|(other, _)| other < key);
    let mut of_key = sorted[from..].iter().take_while(|(other, _)| other == key);
    let (_, value) = of_key.next()?;
    of_key.next().is_none().then_some(value)
}

//! `Graph`: the map as boxes and arrows, in the order of its lines.

use super::columns::guests;
use super::map::{Entry, Map};
use super::rows::{driver, role};
use crate::kernel::netns::NetnsId;
use crate::sriov::seat::Kind;
use crate::types::{DeviceId, PciAddr};
use crate::view::{names, namespace};

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A function or an auxiliary device.
    Function,
    /// An RDMA device.
    Device,
    /// A network interface.
    Interface,
}

/// A box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it stands for.
    pub shape: Shape,
    /// What is written in it, line by line.
    pub label: Vec<String>,
    /// The group it is in, by number.
    pub group: Option<usize>,
}

/// Boxes, arrows from one to another, and groups: the namespaces other than the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    /// The boxes.
    pub nodes: Vec<Node>,
    /// The arrows, by numbers of boxes.
    pub edges: Vec<(usize, usize)>,
    /// What is written on the groups.
    pub groups: Vec<String>,
}

/// Boxes that several lines share.
#[derive(Default)]
struct Known {
    seats: Vec<(DeviceId, usize)>,
    pfs: Vec<(PciAddr, usize)>,
    devices: Vec<(u32, usize)>,
    groups: Vec<(NetnsId, usize)>,
}

impl Graph {
    /// The boxes and arrows of a map.
    pub fn of(map: &Map<'_>) -> Self {
        let mut graph = Self::default();
        let mut known = Known::default();
        for entry in &map.entries {
            let seat = graph.seat(entry, &mut known);
            let device = graph.device(entry, &mut known, seat);
            graph.interface(entry, &mut known, device.or(seat));
        }
        graph
    }

    fn add(&mut self, node: Node, from: Option<usize>) -> usize {
        let number = self.nodes.len();
        self.nodes.push(node);
        self.edges.extend(from.map(|from| (from, number)));
        number
    }

    fn seat(&mut self, entry: &Entry<'_>, known: &mut Known) -> Option<usize> {
        let seat = entry.seat?;
        let id = seat.id();
        if let Some((_, number)) = known.seats.iter().find(|(each, _)| *each == id) {
            return Some(*number);
        }
        let mut label = vec![match &seat.kind {
            Kind::Vf { index, .. } => format!("VF {index}"),
            Kind::Auxiliary(_) | Kind::Pf | Kind::Plain => role(entry).to_uppercase(),
        }];
        label.push(id.to_string());
        label.push(driver(entry).unwrap_or("no driver").to_owned());
        label.extend((!entry.guests.is_empty()).then(|| guests(entry)));
        let (above, is_pf) = match seat.kind {
            Kind::Vf { pf, .. } => (Some(pf), false),
            Kind::Auxiliary(_) => (Some(seat.address), false),
            Kind::Pf | Kind::Plain => (None, true),
        };
        if is_pf {
            label.extend(seat.numa_node.map(|node| format!("NUMA {node}")));
        }
        let above = above.and_then(|pf| {
            let found = known.pfs.iter().find(|(address, _)| *address == pf);
            found.map(|(_, number)| *number)
        });
        let node = Node {
            shape: Shape::Function,
            label,
            group: None,
        };
        let number = self.add(node, above);
        if is_pf {
            known.pfs.push((seat.address, number));
        }
        known.seats.push((id, number));
        Some(number)
    }

    fn device(
        &mut self,
        entry: &Entry<'_>,
        known: &mut Known,
        seat: Option<usize>,
    ) -> Option<usize> {
        let name = entry.device_name()?;
        let index = entry.resident.map(|resident| resident.device.index);
        let mut devices = known.devices.iter();
        if let Some((_, number)) = devices.find(|(each, _)| Some(*each) == index) {
            return Some(*number);
        }
        let mut label = vec![name.to_owned()];
        let ports = entry.resident.iter().flat_map(|each| &each.ports);
        let states = ports.filter_map(|port| port.port.state);
        let states: Vec<&str> = states.map(names::port_state).collect();
        label.extend((!states.is_empty()).then(|| states.join(", ")));
        if entry.missing.is_some() {
            label.push("cannot be seen".to_owned());
        }
        let group = entry.device_home.and_then(|home| self.group(home, known));
        let node = Node {
            shape: Shape::Device,
            label,
            group,
        };
        let number = self.add(node, seat);
        known.devices.extend(index.map(|index| (index, number)));
        Some(number)
    }

    fn interface(&mut self, entry: &Entry<'_>, known: &mut Known, from: Option<usize>) {
        let Some(interface) = entry.interface else {
            return;
        };
        let mut label = vec![interface.name.clone()];
        label.extend(interface.mac.map(|mac| mac.to_string()));
        let home = entry.interface_home;
        let group = home.and_then(|home| self.group(home, known));
        let node = Node {
            shape: Shape::Interface,
            label,
            group,
        };
        self.add(node, from);
    }

    fn group(&mut self, home: &crate::kernel::Namespace, known: &mut Known) -> Option<usize> {
        if home.is_current {
            return None;
        }
        if let Some((_, number)) = known.groups.iter().find(|(id, _)| *id == home.id) {
            return Some(*number);
        }
        let number = self.groups.len();
        self.groups.push(namespace::holder(home));
        known.groups.push((home.id, number));
        Some(number)
    }
}

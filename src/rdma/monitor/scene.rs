//! `Scene`: every device and port as it is now, and what differs from one scene to the next.

use std::collections::BTreeMap;

use crate::kernel::Conn;
use crate::rdma::RdmaError;
use crate::rdma::{device, link};
use crate::types::NetnsMode;
use crate::wire::nldev::port::Port;

/// One device in its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// What people call its namespace.
    pub netns: String,
    /// Its ports by number.
    pub ports: BTreeMap<u32, Port>,
}

/// The subsystem at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scene {
    /// The namespace mode.
    pub mode: Option<NetnsMode>,
    /// Devices by RDMA index, which renames and moves leave as it is.
    pub devices: BTreeMap<u32, Seen>,
}

impl Scene {
    /// Adds what the namespace of `conn` has.
    ///
    /// # Errors
    /// [`RdmaError`].
    pub fn add(&mut self, conn: &mut Conn, netns: &str) -> Result<(), RdmaError> {
        for device in device::list(conn)? {
            self.devices.entry(device.index).or_insert(Seen {
                name: device.name,
                netns: netns.to_owned(),
                ports: BTreeMap::new(),
            });
        }
        for port in link::listing(conn, None)?.found {
            if let Some(seen) = self.devices.get_mut(&port.device_index) {
                seen.ports.insert(port.number, port);
            }
        }
        Ok(())
    }
}

/// One side of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A name of a device, a namespace, an interface or a mode.
    Name(String),
    /// `enum ib_port_state`.
    State(u8),
}

/// One thing that is there, came, went or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What.
    pub what: What,
    /// RDMA index of the device, where it is about one.
    pub index: Option<u32>,
    /// Name of the device, the new one.
    pub name: String,
    /// Where the device is now.
    pub netns: String,
    /// The port, where it is about one.
    pub port: Option<u32>,
    /// How it was.
    pub from: Option<Fact>,
    /// How it is.
    pub to: Option<Fact>,
}

/// What can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It was there when the watch began.
    Present,
    /// A device came.
    Added,
    /// A device went.
    Removed,
    /// A device has another name.
    Renamed,
    /// A device is in another namespace.
    Moved,
    /// A port is in another state.
    State,
    /// A port has another interface, or none, or one with another name.
    Netdev,
    /// The subsystem is in another mode.
    Mode,
    /// Announcements were lost; what follows was found by looking.
    Resync,
}

/// What differs, devices that went first.
pub fn changes(before: &Scene, after: &Scene) -> Vec<Change> {
    let mut changes = Vec::new();
    if before.mode != after.mode {
        let word = |mode: Option<NetnsMode>| mode.map(|mode| Fact::Name(mode.as_str().to_owned()));
        changes.push(Change {
            what: What::Mode,
            index: None,
            name: String::new(),
            netns: String::new(),
            port: None,
            from: word(before.mode),
            to: word(after.mode),
        });
    }
    for (index, seen) in before
        .devices
        .iter()
        .filter(|(index, _)| !after.devices.contains_key(index))
    {
        changes.push(of(What::Removed, *index, seen));
    }
    for (index, now) in &after.devices {
        match before.devices.get(index) {
            None => {
                changes.push(of(What::Added, *index, now));
                let nothing = BTreeMap::new();
                ports(&mut changes, *index, &nothing, now);
            }
            Some(then) => {
                let mut differ = |what, from: &str, to: &str| {
                    if from != to {
                        let (from, to) = (Fact::Name(from.to_owned()), Fact::Name(to.to_owned()));
                        let (from, to) = (Some(from), Some(to));
                        changes.push(Change {
                            from,
                            to,
                            ..of(what, *index, now)
                        });
                    }
                };
                differ(What::Moved, &then.netns, &now.netns);
                differ(What::Renamed, &then.name, &now.name);
                ports(&mut changes, *index, &then.ports, now);
            }
        }
    }
    changes
}

/// The scene as it is when a watch begins.
pub fn present(scene: &Scene) -> Vec<Change> {
    let mut changes = Vec::new();
    for (index, seen) in &scene.devices {
        changes.push(of(What::Present, *index, seen));
        ports(&mut changes, *index, &BTreeMap::new(), seen);
    }
    changes
}

fn ports(changes: &mut Vec<Change>, index: u32, before: &BTreeMap<u32, Port>, now: &Seen) {
    for (number, port) in &now.ports {
        let then = before.get(number);
        let state = |port: &Port| port.state.map(Fact::State);
        let netdev = |port: &Port| port.netdev.clone().map(Fact::Name);
        let pairs = [
            (What::State, then.and_then(state), state(port)),
            (What::Netdev, then.and_then(netdev), netdev(port)),
        ];
        for (what, from, to) in pairs.into_iter().filter(|(_, from, to)| from != to) {
            changes.push(Change {
                port: Some(*number),
                from,
                to,
                ..of(what, index, now)
            });
        }
    }
}

fn of(what: What, index: u32, seen: &Seen) -> Change {
    Change {
        what,
        index: Some(index),
        name: seen.name.clone(),
        netns: seen.netns.clone(),
        port: None,
        from: None,
        to: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(devices: &[(u32, &str, &str, u8, Option<&str>)]) -> Scene {
        let devices = devices.iter().map(|(index, name, netns, state, netdev)| {
            let port = Port {
                device_index: *index,
                number: 1,
                state: Some(*state),
                netdev: netdev.map(str::to_owned),
                ..Port::default()
            };
            let ports = [(1, port)].into();
            (
                *index,
                Seen {
                    name: (*name).to_owned(),
                    netns: (*netns).to_owned(),
                    ports,
                },
            )
        });
        Scene {
            mode: Some(NetnsMode::Exclusive),
            devices: devices.collect(),
        }
    }

    fn told(before: &Scene, after: &Scene) -> Vec<(What, u32, Option<Fact>, Option<Fact>)> {
        let changes = changes(before, after).into_iter();
        changes
            .map(|change| {
                (
                    change.what,
                    change.index.unwrap_or(99),
                    change.from,
                    change.to,
                )
            })
            .collect()
    }

    #[test]
    fn what_came_went_and_changed() {
        let word = |text: &str| Some(Fact::Name(text.to_owned()));
        let state = |state| Some(Fact::State(state));
        let before = scene(&[
            (0, "mlx5_0", "init", 4, None),
            (1, "mlx5_1", "init", 4, Some("eth1")),
        ]);
        let after = scene(&[
            (1, "roce0", "pod1", 1, None),
            (2, "mlx5_2", "init", 4, None),
        ]);
        assert_eq!(
            told(&before, &after),
            [
                (What::Removed, 0, None, None),
                (What::Moved, 1, word("init"), word("pod1")),
                (What::Renamed, 1, word("mlx5_1"), word("roce0")),
                (What::State, 1, state(4), state(1)),
                (What::Netdev, 1, word("eth1"), None),
                (What::Added, 2, None, None),
                (What::State, 2, None, state(4)),
            ]
        );
        assert!(told(&after, &after).is_empty());
        let shared = Scene {
            mode: Some(NetnsMode::Shared),
            ..after.clone()
        };
        assert_eq!(
            told(&after, &shared),
            [(What::Mode, 99, word("exclusive"), word("shared"))]
        );
    }
}

//! `Presence`: the RDMA devices and interfaces of one network namespace.

use std::collections::BTreeMap;

use crate::kernel::{Conn, Host, Namespace, Sysfs};
use crate::netdev::vf_list;
use crate::rdma::RdmaError;
use crate::rdma::char_device::{self, Wanted};
use crate::rdma::{device, link};
use crate::types::{DeviceId, Guid, PciAddr};
use crate::wire::link::interface::Interface;
use crate::wire::link::message;
use crate::wire::link::vf::Vf;
use crate::wire::nldev::chardev::{CharDev, Kind};
use crate::wire::nldev::device::Device;
use crate::wire::nldev::port;

/// A port of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Port {
    /// What netlink says.
    pub port: port::Port,
    /// Its GUID, on InfiniBand.
    pub guid: Option<Guid>,
    /// Its rate as sysfs writes it: `100 Gb/sec (4X EDR)`.
    pub rate: Option<String>,
    /// Its character devices.
    pub char_devices: Vec<(Kind, CharDev)>,
}

/// An RDMA device where it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resident {
    /// What netlink says.
    pub device: Device,
    /// What it sits on; software devices sit on nothing.
    pub id: Option<DeviceId>,
    /// Its ports by number.
    pub ports: Vec<Port>,
    /// Its verbs device.
    pub uverbs: Option<CharDev>,
    /// The adapter's type and board, where the driver tells: `MT4123`, `MT_0000000224`.
    pub model: Option<(String, String)>,
}

/// What one namespace has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// The namespace.
    pub namespace: Namespace,
    /// Its RDMA devices in the kernel's order.
    pub residents: Vec<Resident>,
    /// Its interfaces that belong to functions, auxiliary devices and ports.
    pub interfaces: Vec<Interface>,
    /// What the PFs whose interface is here say of their VFs.
    pub administered: BTreeMap<PciAddr, Vec<Vf>>,
    /// `dev_port` of interfaces by index, where a device has several ports.
    pub dev_ports: BTreeMap<u32, u32>,
}

impl Presence {
    /// Asks the namespace that the calling thread is in.
    ///
    /// `devices` is false where RDMA devices are not the namespace's own. Of the character
    /// devices only `kinds` are asked for, of VFs only those of `pfs`.
    ///
    /// # Errors
    /// [`RdmaError::Netlink`].
    pub fn here(
        host: &Host,
        namespace: Namespace,
        devices: bool,
        (kinds, pfs): (&[Kind], &[PciAddr]),
    ) -> Result<Self, RdmaError> {
        let mut residents = Vec::new();
        if devices {
            let mut conn = host.rdma()?;
            residents = residents_of(&mut conn, kinds)?;
        }
        let mut conn = host.route()?;
        let mut interfaces = conn.list(&message::dump(false), Interface::decode)?;
        interfaces.retain(|interface| !interface.is_child || is_of_port(&residents, interface));
        let mut administered = BTreeMap::new();
        for interface in &interfaces {
            let Some(DeviceId::Pci(address)) = interface.parent else {
                continue;
            };
            if !pfs.contains(&address) || administered.contains_key(&address) {
                continue;
            }
            // A list that is too long for a message, or an interface that went away.
            if let Ok(Some(link)) = vf_list::of(&mut conn, interface.index)
                && !link.vfs.is_empty()
            {
                administered.insert(address, link.vfs);
            }
        }
        Ok(Self {
            namespace,
            residents,
            interfaces,
            administered,
            dev_ports: BTreeMap::new(),
        })
    }

    /// Adds what only the sysfs of the namespace tells.
    pub fn read(&mut self, sysfs: &Sysfs) {
        self.find_parents(sysfs);
        for resident in &mut self.residents {
            // The kernel writes `!` for `/` in file names (kobject_set_name_vargs).
            let name = resident.device.name.replace('/', "!");
            let folder = format!("class/infiniband/{name}");
            let below = sysfs.link_name(format!("{folder}/device"));
            resident.id = below.ok().and_then(|below| below.parse().ok());
            let text = |file: &str| sysfs.read(format!("{folder}/{file}")).ok();
            resident.model = text("hca_type").zip(text("board_id"));
            let is_ib = resident.device.protocol.as_deref() == Some("ib");
            for port in &mut resident.ports {
                let folder = format!("{folder}/ports/{}", port.port.number);
                port.rate = sysfs.read(format!("{folder}/rate")).ok();
                if is_ib || port.port.subnet_prefix.is_some() {
                    let gid = sysfs.read(format!("{folder}/gids/0")).ok();
                    port.guid = gid.as_deref().and_then(guid_of);
                }
            }
        }
        let several = |resident: &Resident| resident.ports.len() > 1;
        if self.residents.iter().any(several) {
            for interface in &self.interfaces {
                let path = format!("class/net/{}/dev_port", interface.name);
                let number = sysfs.read(path).ok().and_then(|text| text.parse().ok());
                self.dev_ports
                    .extend(number.map(|number| (interface.index, number)));
            }
        }
    }
}

impl Presence {
    /// Kernels before 5.14 do not tell what an interface belongs to; sysfs always did.
    fn find_parents(&mut self, sysfs: &Sysfs) {
        let told = |interface: &Interface| interface.parent.is_some();
        if self.interfaces.iter().any(told) {
            return;
        }
        for interface in &mut self.interfaces {
            let below = sysfs.link_name(format!("class/net/{}/device", interface.name));
            interface.parent = below.ok().and_then(|below| below.parse().ok());
        }
    }

    /// Forgets the interfaces that belong to nothing.
    pub fn sift(&mut self) {
        let residents = &self.residents;
        self.interfaces
            .retain(|interface| interface.parent.is_some() || is_of_port(residents, interface));
    }
}

fn is_of_port(residents: &[Resident], interface: &Interface) -> bool {
    let mut ports = residents.iter().flat_map(|each| &each.ports);
    ports.any(|port| port.port.netdev_index == Some(interface.index))
}

/// The GUID in the lower half of a GID.
fn guid_of(gid: &str) -> Option<Guid> {
    let half = gid.split(':').skip(4).collect::<Vec<_>>().join(":");
    half.parse().ok()
}

/// The devices of a connection, their ports and their character devices, in a listing and a few
/// datagrams of questions.
fn residents_of(conn: &mut Conn, kinds: &[Kind]) -> Result<Vec<Resident>, RdmaError> {
    let mut residents: Vec<Resident> = device::list(conn)?
        .into_iter()
        .map(|device| Resident {
            device,
            ..Resident::default()
        })
        .collect();
    let devices: Vec<Device> = residents.iter().map(|each| each.device.clone()).collect();
    let mut ports = link::ports_of(conn, &devices)?.found.into_iter().peekable();
    for resident in &mut residents {
        let index = resident.device.index;
        while let Some(port) = ports.next_if(|port| port.device_index == index) {
            resident.ports.push(Port {
                port,
                ..Port::default()
            });
        }
    }
    let mut wanted = Vec::new();
    for resident in &residents {
        let device = Some(resident.device.index);
        for kind in kinds {
            let ports: Vec<Option<u32>> = match kind {
                Kind::Uverbs => vec![None],
                Kind::Umad | Kind::Issm => {
                    let ports = resident.ports.iter();
                    ports.map(|port| Some(port.port.number)).collect()
                }
                Kind::RdmaCm => Vec::new(),
            };
            wanted.extend(ports.into_iter().map(|port| Wanted {
                kind: *kind,
                device,
                port,
            }));
        }
    }
    let found = char_device::list(conn, &wanted)?;
    for (wanted, found) in wanted.iter().zip(found) {
        let mut owner = residents.iter_mut();
        let owner = owner.find(|each| Some(each.device.index) == wanted.device);
        let (Some(owner), Some(found)) = (owner, found) else {
            continue;
        };
        match wanted.port {
            None => owner.uverbs = Some(found),
            Some(number) => {
                let mut ports = owner.ports.iter_mut();
                if let Some(port) = ports.find(|port| port.port.number == number) {
                    port.char_devices.push((wanted.kind, found));
                }
            }
        }
    }
    Ok(residents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use crate::kernel::netns::NetnsId;
    use crate::rdma::away::tests::member;

    fn interface(index: u32, name: &str, parent: Option<&str>) -> Interface {
        Interface {
            index,
            name: name.to_owned(),
            parent: parent.and_then(|parent| parent.parse().ok()),
            ..Interface::default()
        }
    }

    #[test]
    fn interfaces_and_what_they_belong_to() {
        let machine = member(Machine::new(), "net", "ib0", "0000:01:00.0");
        let mut presence = Presence {
            namespace: Namespace {
                id: NetnsId(1),
                paths: Vec::new(),
                processes: Vec::new(),
                population: 0,
                holders: Vec::new(),
                is_current: true,
                is_initial: true,
            },
            residents: vec![Resident {
                ports: vec![Port {
                    port: port::Port {
                        netdev_index: Some(3),
                        ..port::Port::default()
                    },
                    ..Port::default()
                }],
                ..Resident::default()
            }],
            interfaces: vec![
                interface(1, "lo", None),
                interface(2, "ib0", None),
                interface(3, "veth0", None),
            ],
            administered: BTreeMap::new(),
            dev_ports: BTreeMap::new(),
        };
        presence.read(machine.host().sysfs());
        presence.sift();
        let names: Vec<&str> = presence
            .interfaces
            .iter()
            .map(|each| each.name.as_str())
            .collect();
        assert_eq!(names, ["ib0", "veth0"]);
        assert_eq!(presence.interfaces[0].parent, "0000:01:00.0".parse().ok());
    }

    #[test]
    fn the_guid_of_a_port_is_half_a_gid() {
        let guid = |text| guid_of(text).map(Guid::quads);
        assert_eq!(
            guid("fe80:0000:0000:0000:0c42:a103:0001:0080").as_deref(),
            Some("0c42:a103:0001:0080")
        );
        for text in ["", "fe80::1", "garbage", ":::::::"] {
            assert_eq!(guid(text), None, "{text}");
        }
    }
}

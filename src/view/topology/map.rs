//! `Map`: seats, the devices on them and the namespaces these are in, joined port by port.

use std::collections::BTreeMap;

use crate::kernel::Namespace;
use crate::rdma::away::Away;
use crate::rdma::topology::{Census, Port, Presence, Resident};
use crate::sriov::seat::{Kind, Seat};
use crate::sriov::vfio::Guest;
use crate::types::{DeviceId, Guid, Mac, PciAddr};
use crate::wire::link::interface::Interface;
use crate::wire::link::vf::Vf;
use crate::wire::nldev::chardev::CharDev;

/// One line of the map: a port of a device, or what has none.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// What it sits on; software devices sit on nothing.
    pub seat: Option<&'a Seat>,
    /// The device.
    pub resident: Option<&'a Resident>,
    /// The port.
    pub port: Option<&'a Port>,
    /// The interface.
    pub interface: Option<&'a Interface>,
    /// The device, when it was found in no namespace.
    pub missing: Option<&'a Away>,
    /// What its PF says of the VF.
    pub administered: Option<&'a Vf>,
    /// Where the device is.
    pub device_home: Option<&'a Namespace>,
    /// Where the interface is.
    pub interface_home: Option<&'a Namespace>,
    /// Processes that have the function open through VFIO.
    pub guests: &'a [Guest],
}

/// Who has which function through VFIO.
pub type Guests = BTreeMap<PciAddr, Vec<Guest>>;

/// The whole machine.
#[derive(Debug, Clone)]
pub struct Map<'a> {
    /// Its lines: PFs by address with their VFs and auxiliary devices, then software devices.
    pub entries: Vec<Entry<'a>>,
    /// The connection manager's character device.
    pub rdma_cm: Option<&'a CharDev>,
}

impl<'a> Map<'a> {
    /// Joins what was gathered.
    pub fn of(seats: &'a [Seat], census: &'a Census, guests: &'a Guests) -> Self {
        let join = Join::of(census, guests);
        let mut entries = Vec::new();
        for seat in seats {
            let id = seat.id();
            let before = entries.len();
            for (presence, resident) in join.residents.get(&Some(id.clone())).into_iter().flatten()
            {
                join.device(&mut entries, Some(seat), presence, resident);
            }
            let missing = census.missing.iter();
            for missing in missing.filter(|missing| missing.id.as_ref() == Some(&id)) {
                entries.push(Entry {
                    missing: Some(missing),
                    ..join.bare(Some(seat))
                });
            }
            if entries.len() == before {
                entries.push(join.bare(Some(seat)));
            }
        }
        // What sits on nothing, or on something that is no seat.
        let seated = |id: &Option<DeviceId>| {
            id.as_ref()
                .is_some_and(|id| seats.iter().any(|seat| seat.id() == *id))
        };
        for (_, residents) in join.residents.iter().filter(|(id, _)| !seated(id)) {
            for (presence, resident) in residents {
                join.device(&mut entries, None, presence, resident);
            }
        }
        for missing in census.missing.iter().filter(|each| !seated(&each.id)) {
            entries.push(Entry {
                missing: Some(missing),
                ..join.bare(None)
            });
        }
        Self {
            entries,
            rdma_cm: census.rdma_cm.as_ref(),
        }
    }

    /// The lines that a word names: a PF with all that is on it, `PF/INDEX`, or any other seat,
    /// device or interface. Names of the caller's namespace come before those of others, which may
    /// be the same. Empty when it names nothing.
    pub fn selected(&self, word: &str) -> Self {
        let mut entries = self.named(word);
        let pfs = pfs(&entries);
        if !pfs.is_empty() {
            let of_pfs = |entry: &Entry<'_>| entry.family().is_some_and(|pf| pfs.contains(&pf));
            entries = self.only(of_pfs);
        } else if entries.is_empty()
            && let Some((pf, index)) = word.rsplit_once('/')
            && let Ok(index) = index.parse::<u16>()
        {
            let pfs = self::pfs(&self.named(pf));
            entries = self.only(|entry| match entry.seat.map(|seat| &seat.kind) {
                Some(Kind::Vf { pf, index: number }) => *number == index && pfs.contains(pf),
                _ => false,
            });
        }
        Self {
            entries,
            rdma_cm: self.rdma_cm,
        }
    }

    fn named(&self, word: &str) -> Vec<Entry<'a>> {
        let here = self.only(|entry| entry.is_named(word) == Some(Scope::Here));
        if !here.is_empty() {
            return here;
        }
        self.only(|entry| entry.is_named(word).is_some())
    }

    fn only(&self, wanted: impl Fn(&Entry<'_>) -> bool) -> Vec<Entry<'a>> {
        let entries = self.entries.iter();
        entries.filter(|entry| wanted(entry)).copied().collect()
    }

    /// Every word that [`Self::selected`] knows but addresses and `PF/INDEX`.
    pub fn names(&self) -> Vec<&'a str> {
        let names = self.entries.iter().flat_map(|entry| {
            let netdev = entry.interface.map(|interface| interface.name.as_str());
            [entry.device_name(), netdev]
        });
        let mut names: Vec<&str> = names.flatten().collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl<'a> Entry<'a> {
    /// The device's name.
    pub fn device_name(&self) -> Option<&'a str> {
        let resident = self.resident.map(|resident| resident.device.name.as_str());
        resident.or(self.missing.map(|missing| missing.name.as_str()))
    }

    /// Where it is: the device, or failing one the interface.
    pub fn home(&self) -> Option<&'a Namespace> {
        let interface = self.interface_home.filter(|_| self.missing.is_none());
        self.device_home.or(interface)
    }

    /// The node GUID: the device's, or what the PF will give to the VF.
    pub fn node_guid(&self) -> Option<Guid> {
        match self.resident {
            Some(resident) => resident.device.node_guid,
            None => self.administered.and_then(|vf| vf.node_guid),
        }
    }

    /// The port GUID, likewise; InfiniBand only.
    pub fn port_guid(&self) -> Option<Guid> {
        match self.port {
            Some(port) => port.guid,
            None => self.administered.and_then(|vf| vf.port_guid),
        }
    }

    /// The MAC address: the interface's, or what the PF will give to the VF. On InfiniBand there
    /// is none.
    pub fn mac(&self) -> Option<Mac> {
        match self.interface {
            Some(interface) => interface.mac,
            // Where the PF's interface is IPoIB it tells its own address for every VF.
            None => self
                .administered
                .filter(|vf| vf.node_guid.is_none())
                .and_then(|vf| vf.mac),
        }
    }

    /// Whether the word names it, and where the name counts.
    fn is_named(&self, word: &str) -> Option<Scope> {
        let scope = |home: Option<&Namespace>| match home {
            Some(home) if !home.is_current => Scope::Elsewhere,
            _ => Scope::Here,
        };
        let id = word.parse::<DeviceId>().ok();
        if id.is_some() && self.seat.map(Seat::id) == id {
            return Some(Scope::Here);
        }
        let device = self.device_name().filter(|name| *name == word);
        let device = device.map(|_| match self.missing {
            Some(_) => Scope::Elsewhere,
            None => scope(self.device_home),
        });
        let interface = self.interface.filter(|interface| interface.name == word);
        device.or(interface.map(|_| scope(self.interface_home)))
    }

    /// The address, if it is a PF.
    fn pf_address(&self) -> Option<PciAddr> {
        let seat = self.seat.filter(|seat| seat.kind == Kind::Pf);
        seat.map(|seat| seat.address)
    }

    /// The PF it is, or is on.
    fn family(&self) -> Option<PciAddr> {
        self.seat.map(|seat| match seat.kind {
            Kind::Vf { pf, .. } => pf,
            Kind::Pf | Kind::Auxiliary(_) | Kind::Plain => seat.address,
        })
    }
}

/// Where a name counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Here,
    Elsewhere,
}

fn pfs(entries: &[Entry<'_>]) -> Vec<PciAddr> {
    entries.iter().filter_map(Entry::pf_address).collect()
}

type Found<'a> = (&'a Presence, &'a Resident);

/// What was found, by what it sits on.
struct Join<'a> {
    guests: &'a Guests,
    shared: bool,
    residents: BTreeMap<Option<DeviceId>, Vec<Found<'a>>>,
    interfaces: BTreeMap<&'a DeviceId, Vec<(&'a Presence, &'a Interface)>>,
    administered: BTreeMap<PciAddr, &'a [Vf]>,
}

impl<'a> Join<'a> {
    fn of(census: &'a Census, guests: &'a Guests) -> Self {
        let mut join = Self {
            guests,
            shared: census.shared,
            residents: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            administered: BTreeMap::new(),
        };
        for presence in &census.presences {
            for resident in &presence.residents {
                let seat = join.residents.entry(resident.id.clone()).or_default();
                seat.push((presence, resident));
            }
            for interface in &presence.interfaces {
                if let Some(parent) = &interface.parent {
                    let seat = join.interfaces.entry(parent).or_default();
                    seat.push((presence, interface));
                }
            }
            for (pf, vfs) in &presence.administered {
                join.administered.insert(*pf, vfs);
            }
        }
        join
    }

    /// Adds the lines of a device.
    fn device(
        &self,
        entries: &mut Vec<Entry<'a>>,
        seat: Option<&'a Seat>,
        presence: &'a Presence,
        resident: &'a Resident,
    ) {
        let line = |port: Option<&'a Port>| {
            let interface = self.interface(presence, resident, port);
            Entry {
                resident: Some(resident),
                port,
                interface: interface.map(|(_, interface)| interface),
                interface_home: interface.map(|(home, _)| &home.namespace),
                device_home: (!self.shared).then_some(&presence.namespace),
                ..self.bare(seat)
            }
        };
        if resident.ports.is_empty() {
            entries.push(line(None));
        }
        entries.extend(resident.ports.iter().map(|port| line(Some(port))));
    }

    /// What a seat is without a device; it may have an interface.
    fn bare(&self, seat: Option<&'a Seat>) -> Entry<'a> {
        let administered = seat.and_then(|seat| match seat.kind {
            Kind::Vf { pf, index } => {
                let mut vfs = self.administered.get(&pf)?.iter();
                vfs.find(|vf| vf.index == u32::from(index))
            }
            Kind::Pf | Kind::Auxiliary(_) | Kind::Plain => None,
        });
        let interface = seat.and_then(|seat| self.interfaces.get(&seat.id())?.first().copied());
        Entry {
            seat,
            resident: None,
            port: None,
            interface: interface.map(|(_, interface)| interface),
            missing: None,
            administered,
            device_home: None,
            interface_home: interface.map(|(presence, _)| &presence.namespace),
            guests: seat.map_or(&[], |seat| self.guests_of(seat)),
        }
    }

    /// An auxiliary device is none that VFIO has.
    fn guests_of(&self, seat: &Seat) -> &'a [Guest] {
        let guests = match seat.kind {
            Kind::Auxiliary(_) => None,
            Kind::Pf | Kind::Vf { .. } | Kind::Plain => self.guests.get(&seat.address),
        };
        guests.map_or(&[], Vec::as_slice)
    }

    /// The interface of a port: the one that the kernel names, else one of the same function,
    /// where the device is first of all.
    fn interface(
        &self,
        presence: &'a Presence,
        resident: &'a Resident,
        port: Option<&Port>,
    ) -> Option<(&'a Presence, &'a Interface)> {
        if let Some(index) = port.and_then(|port| port.port.netdev_index) {
            let mut here = presence.interfaces.iter();
            if let Some(named) = here.find(|interface| interface.index == index) {
                return Some((presence, named));
            }
        }
        let candidates = self.interfaces.get(resident.id.as_ref()?)?.iter();
        let number = port.map(|port| port.port.number);
        let fits = candidates.filter(|(home, interface)| {
            // Interfaces count ports from 0.
            match (home.dev_ports.get(&interface.index), number) {
                (Some(dev_port), Some(number)) => dev_port.checked_add(1) == Some(number),
                _ => true,
            }
        });
        let is_ib = resident.device.protocol.as_deref() == Some("ib");
        fits.min_by_key(|(home, interface)| {
            let elsewhere = home.namespace.id != presence.namespace.id;
            (elsewhere, interface.is_ipoib != is_ib, interface.index)
        })
        .copied()
    }
}

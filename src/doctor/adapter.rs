//! `Adapter`: a PF of a network or RDMA adapter with its VFs, and what the PF tells of them.

use super::Facts;
use crate::kernel::NetlinkError;
use crate::kernel::Sysfs;
use crate::netdev::vf_list;
use crate::pci::device;
use crate::pci::function::{self, Function, Role};
use crate::sriov::pf::{self, Pf, Vf};
use crate::types::{DeviceId, Guid, IfName, PciAddr};
use crate::wire::link::message::{Link, get};
use crate::wire::link::vf::Vf as Told;

/// `ARPHRD_INFINIBAND`, `ARPHRD_ETHER` (`uapi/linux/if_arp.h`).
pub const INFINIBAND: u16 = 32;
pub const ETHERNET: u16 = 1;

/// A PCI function and what hangs on it in the caller's namespace.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The function.
    pub function: Function,
    /// Its RDMA devices, as sysfs names them.
    pub rdma: Vec<String>,
    /// Its network interfaces.
    pub netdevs: Vec<IfName>,
    /// It has an RDMA device, wherever that is: uverbs devices belong to no namespace.
    pub has_verbs: bool,
}

/// A VF, and what its PF tells of it.
#[derive(Debug, Clone)]
pub struct VfSeat {
    /// Index and address.
    pub vf: Vf,
    /// What hangs on it.
    pub seat: Seat,
    /// What the PF tells.
    pub told: Option<Told>,
}

/// A PF, and its VFs.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// Address and VFs.
    pub pf: Pf,
    /// What hangs on the PF.
    pub seat: Seat,
    /// The interface that speaks for the VFs.
    pub link: Option<Link>,
    /// The kernel has no room for what it says of them.
    pub is_cut: bool,
    /// The VFs.
    pub vfs: Vec<VfSeat>,
}

impl Adapter {
    /// The PF as people know it: `0000:01:00.0 (ib0)`.
    pub fn word(&self) -> String {
        let address = self.pf.address;
        let netdev = self.link.as_ref().map(|link| link.name.as_str());
        match netdev.or(self.seat.rdma.first().map(String::as_str)) {
            Some(name) => format!("{address} ({name})"),
            None => address.to_string(),
        }
    }

    /// A VF as `rdmactl vf` takes it.
    pub fn vf_word(&self, vf: Vf) -> String {
        format!("{}/{}", self.pf.address, vf.index)
    }

    /// The command that shows what the PF tells of its VFs.
    pub fn shown_by(&self) -> String {
        let name = self.link.as_ref().map(|link| link.name.as_str());
        format!("ip link show {}", name.unwrap_or("PF"))
    }

    /// Whether its ports are InfiniBand.
    pub fn is_infiniband(&self, facts: &Facts<'_>) -> bool {
        let by_link = self.link.as_ref().map(|link| link.hardware == INFINIBAND);
        let by_protocol = || {
            let names = self.seat.rdma.iter();
            names
                .filter_map(|name| facts.device(name))
                .any(|device| device.protocol.as_deref() == Some("ib"))
        };
        by_link.unwrap_or_else(by_protocol)
    }
}

impl VfSeat {
    /// The node GUID that its driver has, if its RDMA device is here.
    pub fn own_guid(&self, facts: &Facts<'_>) -> Option<Guid> {
        let device = self.seat.rdma.first().and_then(|name| facts.device(name))?;
        device.node_guid
    }
}

/// Every function that has a driver or belongs to a PF.
pub(super) fn seats(facts: &Facts<'_>) -> Vec<Seat> {
    let sysfs = facts.host.sysfs();
    let addresses = facts.sysfs(function::addresses(sysfs));
    let functions = addresses
        .into_iter()
        .filter_map(|address| facts.sysfs(function::read(sysfs, address)));
    functions
        .filter(|function| function.driver.is_some() || function.role != Role::Plain)
        .map(|function| seat(facts, function))
        .collect()
}

fn seat(facts: &Facts<'_>, function: Function) -> Seat {
    let sysfs = facts.host.sysfs();
    let address = function.address;
    let rdma = facts.sysfs(device::rdma_names(sysfs, &DeviceId::Pci(address)));
    let verbs = function::folder(address).join("infiniband_verbs");
    Seat {
        has_verbs: !rdma.is_empty() || !facts.sysfs(sysfs.list_if_there(verbs)).is_empty(),
        netdevs: facts.sysfs(function::netdevs(sysfs, address)),
        rdma,
        function,
    }
}

/// The PFs that have, or whose VFs have, an interface or an RDMA device.
pub(super) fn list(facts: &Facts<'_>) -> Vec<Adapter> {
    let seats = facts.seats();
    let is_ours = |seat: &Seat| seat.has_verbs || !seat.netdevs.is_empty();
    let mut adapters = Vec::new();
    for seat in seats {
        let Role::Pf { .. } = seat.function.role else {
            continue;
        };
        let Some(pf) = facts.sysfs(pf::read(facts.host.sysfs(), seat.function.address)) else {
            continue;
        };
        let seat_of = |address: PciAddr| seats.iter().find(|seat| seat.function.address == address);
        let vfs: Vec<(Vf, &Seat)> = pf
            .vfs
            .iter()
            .filter_map(|vf| Some((*vf, seat_of(vf.address)?)))
            .collect();
        if !is_ours(seat) && !vfs.iter().any(|(_, seat)| is_ours(seat)) {
            continue;
        }
        let Speaker { link, is_cut } = speaker(facts, seat);
        let told = |index: u16| {
            let mut told = link.as_ref()?.vfs.iter();
            told.find(|vf| vf.index == u32::from(index)).copied()
        };
        let vfs = vfs.into_iter().map(|(vf, seat)| VfSeat {
            vf,
            seat: seat.clone(),
            told: told(vf.index),
        });
        adapters.push(Adapter {
            vfs: vfs.collect(),
            seat: seat.clone(),
            link,
            is_cut,
            pf,
        });
    }
    adapters
}

/// The interface of a PF that tells of VFs, or else its first.
#[derive(Default)]
struct Speaker {
    link: Option<Link>,
    is_cut: bool,
}

fn speaker(facts: &Facts<'_>, seat: &Seat) -> Speaker {
    let mut first = Speaker::default();
    for netdev in &seat.netdevs {
        let asked = ask(facts, facts.host.sysfs(), netdev);
        if asked.link.as_ref().is_some_and(|link| !link.vfs.is_empty()) {
            return asked;
        }
        if first.link.is_none() {
            first = asked;
        }
    }
    first
}

fn ask(facts: &Facts<'_>, sysfs: &Sysfs, netdev: &IfName) -> Speaker {
    let index = sysfs.read(format!("class/net/{netdev}/ifindex")).ok();
    let Some(index) = index.and_then(|index| index.parse::<u32>().ok()) else {
        return Speaker::default();
    };
    let asked = facts.host.route().and_then(|mut conn| {
        Ok(match vf_list::of(&mut conn, index)? {
            Some(link) => Speaker {
                link: Some(link),
                is_cut: false,
            },
            None => Speaker {
                link: Some(conn.get(&get(index, false), Link::decode)?),
                is_cut: true,
            },
        })
    });
    match asked {
        Ok(speaker) => speaker,
        // It went away meanwhile.
        Err(NetlinkError::Refused(_)) => Speaker::default(),
        Err(error) => {
            facts.netlink_gap(&format!("ip link show {netdev}"), &error);
            Speaker::default()
        }
    }
}

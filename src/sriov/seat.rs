//! `Seat`: a function or an auxiliary device that an RDMA device can sit on.

use std::collections::BTreeSet;

use super::pf;
use crate::kernel::{Sysfs, SysfsError};
use crate::pci::function::{self, Function, Role};
use crate::types::{AuxName, DeviceId, PciAddr};

/// The first byte of `class`: a network controller, Ethernet or InfiniBand (PCI Code and ID
/// Assignment Specification 1.3).
const NETWORK: &str = "0x02";

/// What a seat is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A physical function that can have VFs.
    Pf,
    /// A virtual function.
    Vf {
        /// Its PF.
        pf: PciAddr,
        /// Its number on the PF.
        index: u16,
    },
    /// A scalable function or another auxiliary device of a function.
    Auxiliary(AuxName),
    /// A function without SR-IOV.
    Plain,
}

/// A function or an auxiliary device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// What it is.
    pub kind: Kind,
    /// The function it is, or is on.
    pub address: PciAddr,
    /// The driver bound to it.
    pub driver: Option<String>,
    /// The NUMA node of its function.
    pub numa_node: Option<u32>,
}

impl Seat {
    /// The name it has on its bus.
    pub fn id(&self) -> DeviceId {
        match &self.kind {
            Kind::Auxiliary(name) => DeviceId::Auxiliary(name.clone()),
            Kind::Pf | Kind::Vf { .. } | Kind::Plain => DeviceId::Pci(self.address),
        }
    }
}

/// Every seat that is `taken`, every PF that is a network controller or has one that is, and all
/// seats on these PFs: the VFs by index and then the auxiliary devices behind each PF, PFs and other
/// functions by address.
///
/// # Errors
/// [`SysfsError`]; what goes away meanwhile is left out.
pub fn list(sysfs: &Sysfs, taken: &BTreeSet<DeviceId>) -> Result<Vec<Seat>, SysfsError> {
    let mut seats = Vec::new();
    for address in function::addresses(sysfs)? {
        let role = function::role(sysfs, address)?;
        let of_pf = match role {
            Role::Vf { .. } => continue,
            Role::Plain => Vec::new(),
            Role::Pf { .. } => vfs(sysfs, address)?,
        };
        let mut family = of_pf;
        family.extend(auxiliaries(sysfs, address, taken)?);
        let is_taken = |seat: &Seat| taken.contains(&seat.id());
        let wanted = match role {
            _ if taken.contains(&DeviceId::Pci(address)) || family.iter().any(is_taken) => true,
            Role::Pf { .. } => is_network(sysfs, address),
            Role::Plain | Role::Vf { .. } => false,
        };
        if !wanted {
            continue;
        }
        let kind = match role {
            Role::Pf { .. } => Kind::Pf,
            Role::Plain | Role::Vf { .. } => Kind::Plain,
        };
        seats.extend(seat(sysfs, address, kind)?);
        seats.extend(family);
    }
    Ok(seats)
}

fn is_network(sysfs: &Sysfs, address: PciAddr) -> bool {
    let class = sysfs.read(function::folder(address).join("class"));
    class.is_ok_and(|class| class.starts_with(NETWORK))
}

fn seat(sysfs: &Sysfs, address: PciAddr, kind: Kind) -> Result<Option<Seat>, SysfsError> {
    let function = function::read(sysfs, address)?;
    Ok(function.map(
        |Function {
             driver, numa_node, ..
         }| Seat {
            kind,
            address,
            driver,
            numa_node,
        },
    ))
}

fn vfs(sysfs: &Sysfs, address: PciAddr) -> Result<Vec<Seat>, SysfsError> {
    let mut seats = Vec::new();
    for vf in pf::read(sysfs, address)?.into_iter().flat_map(|pf| pf.vfs) {
        let kind = Kind::Vf {
            pf: address,
            index: vf.index,
        };
        seats.extend(seat(sysfs, vf.address, kind)?);
    }
    Ok(seats)
}

/// The scalable functions of a function by number, and its other auxiliary devices that are taken:
/// most are parts of its driver.
fn auxiliaries(
    sysfs: &Sysfs,
    address: PciAddr,
    taken: &BTreeSet<DeviceId>,
) -> Result<Vec<Seat>, SysfsError> {
    let folder = function::folder(address);
    let mut names: Vec<AuxName> = sysfs
        .list_if_there(&folder)?
        .iter()
        .filter_map(|name| name.parse().ok())
        .filter(|name: &AuxName| {
            let is_sf = name.as_str().rsplit('.').nth(1) == Some("sf");
            is_sf || taken.contains(&DeviceId::Auxiliary(name.clone()))
        })
        .collect();
    names.sort_by_key(|name| (name.number(), name.clone()));
    let numa = sysfs.read(folder.join("numa_node")).ok();
    let numa_node = numa.and_then(|node| node.parse().ok());
    Ok(names
        .into_iter()
        .map(|name| Seat {
            driver: sysfs
                .link_name(folder.join(name.as_str()).join("driver"))
                .ok(),
            kind: Kind::Auxiliary(name),
            address,
            numa_node,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    fn function(machine: Machine, name: &str, class: &str) -> Machine {
        machine
            .file(&format!("sys/devices/{name}/class"), format!("{class}\n"))
            .link(
                &format!("sys/bus/pci/devices/{name}"),
                &format!("../../../devices/{name}"),
            )
    }

    fn machine() -> Machine {
        let mut machine = Machine::new();
        for (name, class) in [
            ("0000:01:00.0", "0x020700"),
            ("0000:01:10.0", "0x020700"),
            ("0000:01:10.1", "0x020700"),
            ("0000:02:00.0", "0x010802"),
            ("0000:03:00.0", "0x020000"),
            ("0000:04:00.0", "0x020000"),
        ] {
            machine = function(machine, name, class);
        }
        for pf in ["0000:01:00.0", "0000:02:00.0", "0000:03:00.0"] {
            machine = machine.file(&format!("sys/devices/{pf}/sriov_totalvfs"), "8");
        }
        for index in [1, 0] {
            machine = machine
                .link(
                    &format!("sys/devices/0000:01:00.0/virtfn{index}"),
                    &format!("../0000:01:10.{index}"),
                )
                .link(
                    &format!("sys/devices/0000:01:10.{index}/physfn"),
                    "../0000:01:00.0",
                );
        }
        let aux = "sys/devices/0000:01:00.0";
        machine
            .file(&format!("{aux}/mlx5_core.sf.10/sfnum"), "88")
            .file(&format!("{aux}/mlx5_core.eth.0/x"), "")
            .file(&format!("{aux}/numa_node"), "1\n")
            .link(
                &format!("{aux}/mlx5_core.sf.2/driver"),
                "../../../bus/auxiliary/drivers/mlx5_core.sf",
            )
    }

    fn ids(seats: &[Seat]) -> Vec<String> {
        seats.iter().map(|seat| seat.id().to_string()).collect()
    }

    #[test]
    fn families_behind_their_pf() {
        let machine = machine();
        let host = machine.host();
        let seats = list(host.sysfs(), &BTreeSet::new()).unwrap();
        assert_eq!(
            ids(&seats),
            [
                "0000:01:00.0",
                "0000:01:10.0",
                "0000:01:10.1",
                "mlx5_core.sf.2",
                "mlx5_core.sf.10",
                "0000:03:00.0",
            ]
        );
        let [pf, vf, _, sf, ..] = &seats[..] else {
            panic!("{seats:?}")
        };
        assert_eq!((&pf.kind, pf.numa_node), (&Kind::Pf, Some(1)));
        let expected = Kind::Vf {
            pf: pf.address,
            index: 0,
        };
        assert_eq!(vf.kind, expected);
        assert_eq!(
            (sf.address, sf.numa_node, sf.driver.as_deref()),
            (pf.address, Some(1), Some("mlx5_core.sf"))
        );
    }

    #[test]
    fn what_is_taken_is_there_whatever_it_is() {
        let machine = machine();
        let host = machine.host();
        let taken = ["0000:02:00.0", "0000:04:00.0", "mlx5_core.eth.0"];
        let taken = taken.map(|id| id.parse().unwrap()).into_iter().collect();
        let seats = list(host.sysfs(), &taken).unwrap();
        assert_eq!(
            ids(&seats)[3..],
            [
                "mlx5_core.eth.0",
                "mlx5_core.sf.2",
                "mlx5_core.sf.10",
                "0000:02:00.0",
                "0000:03:00.0",
                "0000:04:00.0",
            ]
        );
        assert_eq!(seats.last().unwrap().kind, Kind::Plain);
    }
}

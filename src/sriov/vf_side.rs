//! `VfSide`: what a VF itself shows, once a driver has it.

use super::pf::Vf;
use super::wish::Wish;
use crate::kernel::{Sysfs, SysfsError};
use crate::pci::function;
use crate::types::{Guid, IfName, Mac};
use crate::wire::link::vf::Vf as Told;

/// The ports of a channel adapter are counted from here (`rdma_start_port`, `rdma/ib_verbs.h`).
pub(super) const FIRST_PORT: &str = "1";

const INFINIBAND: &str = "infiniband";

/// What hangs on a VF, in the namespace that sysfs belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VfSide {
    /// The driver bound to it.
    pub driver: Option<String>,
    /// The NUMA node it is near to.
    pub numa_node: Option<u32>,
    /// Its RDMA devices, by name; one in nearly all cases.
    pub rdma: Vec<Rdma>,
    /// Its network interfaces, the oldest first: the others sit on it.
    pub netdevs: Vec<Netdev>,
}

/// An RDMA device of a VF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rdma {
    /// Its name.
    pub name: String,
    /// Its node GUID.
    pub node_guid: Option<Guid>,
    /// The GUID of its first port: the second half of GID 0.
    pub port_guid: Option<Guid>,
    /// The state of its first port, such as `ACTIVE`.
    pub port_state: Option<String>,
}

/// A network interface of a VF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netdev {
    /// Its name.
    pub name: String,
    /// Its address, if it is an Ethernet one.
    pub mac: Option<Mac>,
}

/// What a function goes by on its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Identity {
    /// Node GUID.
    pub node_guid: Option<Guid>,
    /// Port GUID.
    pub port_guid: Option<Guid>,
    /// Ethernet address.
    pub mac: Option<Mac>,
}

impl From<&Told> for Identity {
    /// What the PF gave it; zero was not given.
    fn from(told: &Told) -> Self {
        let told = Self {
            node_guid: told.node_guid,
            port_guid: told.port_guid,
            mac: told.mac,
        };
        told.given()
    }
}

impl Identity {
    /// Without what was taken back: nobody knows what a VF then goes by.
    pub fn given(&self) -> Self {
        let guid = |guid: Option<Guid>| guid.filter(|guid| guid.is_assignable());
        Self {
            node_guid: guid(self.node_guid),
            port_guid: guid(self.port_guid),
            mac: self.mac.filter(|mac| !mac.is_zero()),
        }
    }
}

impl From<&Wish> for Identity {
    /// What it is to be; an address that is taken back becomes one that nobody knows before.
    fn from(wish: &Wish) -> Self {
        Self {
            node_guid: wish.node_guid,
            port_guid: wish.port_guid,
            mac: wish.mac.filter(|mac| !mac.is_zero()),
        }
    }
}

/// A VF goes by something else than it was given: its driver asks only when it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// `node GUID`, `port GUID`, `address`.
    pub what: &'static str,
    /// The RDMA device or the network interface.
    pub whose: String,
    /// What it goes by.
    pub has: String,
    /// What it was given.
    pub given: String,
}

impl VfSide {
    /// Where the VF differs from what it was given.
    pub fn stale(&self, given: &Identity) -> Vec<Stale> {
        let mut found = Vec::new();
        let mut compare = |what, whose: &str, has: Option<String>, given: Option<String>| {
            if let (Some(has), Some(given)) = (has, given)
                && has != given
            {
                let whose = whose.to_owned();
                found.push(Stale {
                    what,
                    whose,
                    has,
                    given,
                });
            }
        };
        let guid = |guid: Option<Guid>| guid.map(|guid| guid.to_string());
        for each in &self.rdma {
            let (name, node, port) = (&each.name, each.node_guid, each.port_guid);
            compare("node GUID", name, guid(node), guid(given.node_guid));
            compare("port GUID", name, guid(port), guid(given.port_guid));
        }
        // The first is the function's own; what others it has sits on that.
        for each in self.netdevs.iter().take(1) {
            let (has, given) = (each.mac, given.mac);
            let text = |mac: Option<Mac>| mac.map(|mac| mac.to_string());
            compare("address", &each.name, text(has), text(given));
        }
        found
    }

    /// A driver of this machine's own has it, and nothing of it can be seen here: it was moved to
    /// another namespace, or its driver is not done.
    pub fn is_out_of_sight(&self) -> bool {
        let driven = self.driver.as_deref();
        driven.is_some_and(|driver| !driver.contains("vfio"))
            && self.rdma.is_empty()
            && self.netdevs.is_empty()
    }
}

/// Reads what a VF shows.
///
/// # Errors
/// [`SysfsError`]; a VF that is not there shows nothing.
pub fn read(sysfs: &Sysfs, vf: Vf) -> Result<VfSide, SysfsError> {
    let folder = match sysfs.below(function::folder(vf.address)) {
        Err(error) if error.is_absent() => return Ok(VfSide::default()),
        other => other?,
    };
    let Some(function) = function::read(sysfs, vf.address)? else {
        return Ok(VfSide::default());
    };
    let names = folder.list_if_there(INFINIBAND)?.into_iter();
    Ok(VfSide {
        driver: function.driver,
        numa_node: function.numa_node,
        rdma: names.map(|name| rdma(&folder, INFINIBAND, name)).collect(),
        netdevs: netdevs(&folder)?,
    })
}

/// Reads what a VF goes by: all but the NUMA node and the states of ports, with half as many files
/// to open.
///
/// # Errors
/// As [`read`].
pub fn identity(sysfs: &Sysfs, vf: Vf) -> Result<VfSide, SysfsError> {
    let folder = match sysfs.below(function::folder(vf.address)) {
        Err(error) if error.is_absent() => return Ok(VfSide::default()),
        other => other?,
    };
    let [driver] = folder.links_in("", ["driver"])?;
    let names = folder.list_if_there(INFINIBAND)?;
    let rdma = |name: String| Rdma {
        node_guid: node_guid(&folder, INFINIBAND, &name),
        port_guid: port_guid(&folder, INFINIBAND, &name, FIRST_PORT),
        port_state: None,
        name,
    };
    Ok(VfSide {
        driver,
        numa_node: None,
        rdma: names.into_iter().map(rdma).collect(),
        netdevs: netdevs(&folder)?,
    })
}

/// The oldest first; which that is matters where there are several.
fn netdevs(folder: &Sysfs) -> Result<Vec<Netdev>, SysfsError> {
    let names = folder.list_if_there("net")?;
    let names: Vec<IfName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let are_several = names.len() > 1;
    let mut netdevs: Vec<(u32, Netdev)> = Vec::new();
    for name in names {
        let text = |file| folder.read(format!("net/{name}/{file}")).ok();
        let index = are_several.then(|| text("ifindex")).flatten();
        let index = index.and_then(|index| index.parse().ok());
        let mac = text("address").and_then(|mac| mac.parse().ok());
        let name = name.to_string();
        netdevs.push((index.unwrap_or(u32::MAX), Netdev { name, mac }));
    }
    netdevs.sort_by_key(|(index, _)| *index);
    Ok(netdevs.into_iter().map(|(_, netdev)| netdev).collect())
}

/// An RDMA device below `folder`; what it does not say is absent.
pub fn rdma(sysfs: &Sysfs, folder: &str, name: String) -> Rdma {
    let text = |file: &str| sysfs.read(format!("{folder}/{name}/{file}")).ok();
    let ports = sysfs.list_if_there(format!("{folder}/{name}/ports"));
    let port = ports.ok().and_then(|ports| ports.into_iter().next());
    let of_port = |file: &str| text(&format!("ports/{}/{file}", port.as_ref()?));
    let node_guid = node_guid(sysfs, folder, &name);
    let port_guid = port
        .as_ref()
        .and_then(|port| port_guid(sysfs, folder, &name, port));
    let port_state = of_port("state").and_then(|state| Some(state.split_once(": ")?.1.to_owned()));
    Rdma {
        name,
        node_guid,
        port_guid,
        port_state,
    }
}

/// The node GUID of an RDMA device below `folder`.
pub fn node_guid(sysfs: &Sysfs, folder: &str, name: &str) -> Option<Guid> {
    let text = sysfs.read(format!("{folder}/{name}/node_guid"));
    text.ok()?.parse().ok()
}

/// The GUID of a port of an RDMA device below `folder`: the second half of its GID 0.
pub fn port_guid(sysfs: &Sysfs, folder: &str, name: &str, port: &str) -> Option<Guid> {
    let gid = sysfs.read(format!("{folder}/{name}/ports/{port}/gids/0"));
    gid.ok()?.get(20..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn an_infiniband_vf_and_an_ethernet_one() {
        let ib = "sys/bus/pci/devices/0000:01:10.0";
        let eth = "sys/bus/pci/devices/0000:01:10.1";
        let machine = Machine::new()
            .file(
                &format!("{ib}/infiniband/mlx5_1/node_guid"),
                "0011:2233:4455:6677\n",
            )
            .file(
                &format!("{ib}/infiniband/mlx5_1/ports/1/gids/0"),
                "fe80:0000:0000:0000:0011:2233:4455:6678\n",
            )
            .file(
                &format!("{ib}/infiniband/mlx5_1/ports/1/state"),
                "4: ACTIVE\n",
            )
            .file(
                &format!("{ib}/infiniband/odd/ports/1/gids/0"),
                "fe80\u{fffd}\n",
            )
            .link(&format!("{ib}/driver"), "../../drivers/mlx5_core")
            .file(
                &format!("{ib}/net/ib1/address"),
                "00:00:01:02:fe:80:00:00:00:00:00:00:00:11:22:33:44:55:66:78\n",
            )
            .file(&format!("{eth}/net/eth1/address"), "02:00:00:00:00:01\n");
        let host = machine.host();
        let of = |address: &str| {
            let address = address.parse().unwrap();
            let vf = Vf { index: 0, address };
            let side = read(host.sysfs(), vf).unwrap();
            // What it goes by is the same by either way.
            let mut stateless = side.clone();
            for each in &mut stateless.rdma {
                each.port_state = None;
            }
            assert_eq!(identity(host.sysfs(), vf).unwrap(), stateless);
            side
        };
        let side = of("0000:01:10.0");
        assert_eq!(side.driver.as_deref(), Some("mlx5_core"));
        let [first, odd] = &side.rdma[..] else {
            panic!("{side:?}")
        };
        assert_eq!(first.node_guid, Some(Guid::new(0x0011_2233_4455_6677)));
        assert_eq!(first.port_guid, Some(Guid::new(0x0011_2233_4455_6678)));
        assert_eq!(first.port_state.as_deref(), Some("ACTIVE"));
        assert_eq!((odd.node_guid, odd.port_guid), (None, None));
        assert_eq!(
            (side.netdevs[0].name.as_str(), side.netdevs[0].mac),
            ("ib1", None)
        );
        let side = of("0000:01:10.1");
        assert_eq!(side.netdevs[0].mac, "02:00:00:00:00:01".parse().ok());
        assert_eq!((side.driver, side.rdma.len()), (None, 0));
        assert_eq!(of("0000:01:10.2"), VfSide::default());
    }

    #[test]
    fn a_driver_that_was_there_first_has_the_old_one() {
        let guid = |value| Some(Guid::new(value));
        let mac = |last| Some(Mac::new([2, 0, 0, 0, 0, last]));
        let netdev = |name: &str, mac| Netdev {
            name: name.to_owned(),
            mac,
        };
        let side = VfSide {
            driver: Some("mlx5_core".to_owned()),
            rdma: vec![Rdma {
                name: "mlx5_1".to_owned(),
                node_guid: guid(1),
                port_guid: guid(2),
                port_state: None,
            }],
            netdevs: vec![netdev("eth1", mac(1)), netdev("eth1.5", mac(9))],
            ..VfSide::default()
        };
        let given = |node_guid, port_guid, mac| Identity {
            node_guid,
            port_guid,
            mac,
        };
        let told = |identity: &Identity| {
            let stale = side.stale(identity).into_iter();
            stale
                .map(|each| format!("{} {} {} {}", each.whose, each.what, each.has, each.given))
                .collect::<Vec<_>>()
        };
        assert!(told(&given(guid(1), guid(2), mac(1))).is_empty());
        assert!(told(&Identity::default()).is_empty());
        assert_eq!(
            told(&given(guid(1), guid(3), mac(2))),
            [
                "mlx5_1 port GUID 00:00:00:00:00:00:00:02 00:00:00:00:00:00:00:03",
                "eth1 address 02:00:00:00:00:01 02:00:00:00:00:02",
            ]
        );
        // Zero is no GUID that the PF gave, and one that a wish takes back.
        let zero = Told {
            node_guid: guid(0),
            mac: Some(Mac::new([0; 6])),
            ..Told::default()
        };
        assert_eq!(Identity::from(&zero), Identity::default());
        let wish = Wish {
            node_guid: guid(0),
            mac: Some(Mac::new([0; 6])),
            ..Wish::default()
        };
        assert_eq!(Identity::from(&wish), given(guid(0), None, None));
        assert!(!side.is_out_of_sight());
        let away = |driver: &str| VfSide {
            driver: Some(driver.to_owned()),
            ..VfSide::default()
        };
        assert!(away("mlx5_core").is_out_of_sight() && !away("vfio-pci").is_out_of_sight());
    }
}

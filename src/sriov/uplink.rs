//! `Uplink`: the PF's network interface, through which the kernel takes the settings of VFs.

use crate::kernel::namespaces::{self, Depth};
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{
    Conn, Host, Kept, Namespace, NetlinkError, Netns, NetnsError, Sysfs, SysfsError,
};
use crate::pci::function;
use crate::types::PciAddr;
use crate::wire::link::message::{Link, get};

/// A network interface of a PF.
#[derive(Debug)]
pub struct Uplink {
    /// Its name, in its namespace.
    pub name: String,
    /// Its index there.
    pub index: u32,
    /// `ARPHRD_*`: 1 Ethernet, 32 InfiniBand.
    pub hardware: u16,
    /// The namespace it was moved to; `None` when it is in the caller's.
    pub away: Option<Away>,
    /// How it was spoken to last, where it is in the caller's.
    pub talk: Kept,
}

/// Another namespace than the caller's.
#[derive(Debug)]
pub struct Away {
    /// What it is called and who is in it.
    pub namespace: Namespace,
    netns: Netns,
}

/// Why an uplink could not be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// sysfs could not be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
    /// Its namespace could not be entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The kernel could not be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// What a search for uplinks found.
#[derive(Debug, Default)]
pub struct Search {
    /// The uplink of each PF that was asked for, in that order.
    pub uplinks: Vec<Option<Uplink>>,
    /// Namespaces that could not be looked into; an uplink may be in one of them.
    pub unseen: Vec<Namespace>,
}

impl Uplink {
    /// Speaks NETLINK_ROUTE in the namespace of the interface.
    ///
    /// # Errors
    /// [`UplinkError::Netns`], [`UplinkError::Netlink`] when there is no conversation.
    pub fn speak<T: Send, E: Send>(
        &self,
        host: &Host,
        work: impl FnOnce(&mut Conn) -> Result<T, E> + Send,
    ) -> Result<Result<T, E>, UplinkError> {
        match &self.away {
            None => Ok(self.talk.speak_here(host, work)?),
            Some(away) => away.netns.within(|| Ok(work(&mut host.route()?)))?,
        }
    }
}

/// The uplinks of these PFs: here, and where one is not here, in every namespace that can be found.
///
/// # Errors
/// [`UplinkError`] for the caller's namespace; others that cannot be looked into are named.
pub fn search(host: &Host, pfs: &[PciAddr]) -> Result<Search, UplinkError> {
    let mut search = Search::default();
    for pf in pfs {
        search.uplinks.push(here(host, *pf)?);
    }
    let is_away =
        |at: &usize| search.uplinks[*at].is_none() && may_have_one(host.sysfs(), pfs[*at]);
    let mut wanted: Vec<usize> = (0..pfs.len()).filter(is_away).collect();
    if wanted.is_empty() {
        return Ok(search);
    }
    let survey = namespaces::survey(host, Depth::Processes).unwrap_or_default();
    for namespace in survey.namespaces {
        if wanted.is_empty() {
            break;
        }
        // The caller's own comes again: its /sys may be that of another namespace.
        let Some((netns, sysfs)) = tree(host, &namespace) else {
            search.unseen.push(namespace);
            continue;
        };
        wanted.retain(|at| {
            let found = candidates(sysfs.tree(), pfs[*at]).ok();
            let Some(found) = found.and_then(|found| found.into_iter().next()) else {
                return true;
            };
            let away = match netns.try_clone() {
                _ if namespace.is_current => None,
                Ok(netns) => Some(Away {
                    namespace: namespace.clone(),
                    netns,
                }),
                Err(_) => return true,
            };
            search.uplinks[*at] = Some(Uplink { away, ..found });
            false
        });
    }
    Ok(search)
}

/// Whether a PF without an uplink here may have one elsewhere: it has a driver, and is for the
/// network. Disks, accelerators and GPUs have VFs too.
pub fn may_have_one(sysfs: &Sysfs, pf: PciAddr) -> bool {
    /// Base class 02 (PCI Code and ID Assignment): network controllers, InfiniBand among them.
    const NETWORK: &str = "0x02";
    let folder = function::folder(pf);
    let class = sysfs.read(folder.join("class"));
    let networks = || class.is_ok_and(|class| class.starts_with(NETWORK));
    sysfs.exists(folder.join("driver")) && (networks() || sysfs.exists(folder.join("infiniband")))
}

/// The uplink of one PF.
///
/// # Errors
/// As [`search`].
pub fn find(host: &Host, pf: PciAddr) -> Result<Option<Uplink>, UplinkError> {
    Ok(search(host, &[pf])?.uplinks.into_iter().flatten().next())
}

fn tree(host: &Host, namespace: &Namespace) -> Option<(Netns, NetnsSysfs)> {
    let netns = namespace.open(host).ok()?;
    let sysfs = NetnsSysfs::of(&netns).ok()?.ok()?;
    Some((netns, sysfs))
}

/// What `/sys` shows may belong to another namespace than the caller's (`nsenter -n` leaves it as
/// it was): the kernel must have the same interface on the same function here.
fn here(host: &Host, pf: PciAddr) -> Result<Option<Uplink>, UplinkError> {
    let candidates = candidates(host.sysfs(), pf)?;
    if candidates.is_empty() {
        return Ok(None);
    }
    let mut conn = host.route()?;
    for uplink in candidates {
        let link = match conn.get(&get(uplink.index, false), Link::decode) {
            Err(NetlinkError::Refused(_)) => continue,
            other => other?,
        };
        let is_ours = match &link.parent {
            Some(parent) => *parent == pf.to_string(),
            // Before Linux 5.14 the name has to do.
            None => link.name == uplink.name,
        };
        if is_ours {
            uplink.talk.put(conn);
            return Ok(Some(uplink));
        }
    }
    Ok(None)
}

/// The interfaces of a PF that may be its uplink, the oldest first: P_Key children and the like
/// come after what they sit on.
fn candidates(sysfs: &Sysfs, pf: PciAddr) -> Result<Vec<Uplink>, SysfsError> {
    let mut found = Vec::new();
    for name in function::netdevs(sysfs, pf)? {
        let folder = function::folder(pf).join("net").join(name.as_str());
        let number = |file: &str| sysfs.read(folder.join(file)).ok()?.parse().ok();
        let port = sysfs.read(folder.join("phys_port_name"));
        if port.is_ok_and(|port| is_representor(&port)) {
            continue;
        }
        let (Some(index), Some(hardware)) = (number("ifindex"), number("type")) else {
            continue;
        };
        found.push(Uplink {
            name: name.to_string(),
            index,
            hardware: u16::try_from(hardware).unwrap_or_default(),
            away: None,
            talk: Kept::default(),
        });
    }
    found.sort_by_key(|uplink| uplink.index);
    Ok(found)
}

/// In switchdev mode the PF's function also carries an interface for each VF, such as `pf0vf3`
/// or `c1pf0sf88`; the uplink is `p0` (`__devlink_port_phys_port_name_get`, net/devlink/port.c).
fn is_representor(port: &str) -> bool {
    let rest = port.strip_prefix('c').map_or(port, |rest| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit())
    });
    rest.starts_with("pf")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Kernel, Machine};
    use crate::wire::Request;
    use nix::errno::Errno;
    use std::sync::Arc;

    fn netdev(machine: Machine, name: &str, index: u32, port: &str) -> Machine {
        let folder = format!("sys/bus/pci/devices/0000:01:00.0/net/{name}");
        machine
            .file(&format!("{folder}/ifindex"), format!("{index}\n"))
            .file(&format!("{folder}/type"), "32\n")
            .file(&format!("{folder}/phys_port_name"), port)
    }

    fn machine() -> Machine {
        let machine = netdev(Machine::new(), "ib0.8001", 9, "");
        let machine = netdev(machine, "ib0", 3, "p0\n");
        netdev(machine, "rep0", 2, "pf0vf0\n")
    }

    /// Answers every question with this name and parent.
    fn kernel(name: &'static str, parent: Option<&'static str>) -> Kernel {
        Arc::new(move |_, _| {
            let link = Request::new(0).fixed(&[0; 16]).text(3, name);
            let link = match parent {
                Some(parent) => link.text(56, parent),
                None => link,
            };
            Answer::Data(vec![link.body().to_vec()])
        })
    }

    fn found(kernel: Kernel) -> Option<String> {
        let machine = machine();
        let host = machine.host_with(kernel);
        let pf = "0000:01:00.0".parse().unwrap();
        find(&host, pf).unwrap().map(|uplink| uplink.name)
    }

    #[test]
    fn neither_a_representor_nor_a_child() {
        let ours = found(kernel("ib0", Some("0000:01:00.0")));
        assert_eq!(ours.as_deref(), Some("ib0"));
        assert_eq!(found(kernel("ib0", None)).as_deref(), Some("ib0"));
        for (port, expected) in [
            ("p0", false),
            ("p1s0", false),
            ("", false),
            ("pf0vf3", true),
            ("pf1sf88", true),
            ("c1pf0", true),
            ("c12pf0vf1", true),
            ("ce0", false),
        ] {
            assert_eq!(is_representor(port), expected, "{port}");
        }
    }

    #[test]
    fn what_is_not_for_the_network_has_none_anywhere() {
        let function = |machine: Machine, at: u8, class: &str| {
            let folder = format!("sys/bus/pci/devices/0000:0{at}:00.0");
            let machine = machine.file(&format!("{folder}/class"), class);
            machine.link(&format!("{folder}/driver"), "../../drivers/any")
        };
        let drivers = Machine::new().file("sys/bus/pci/drivers/any/module", "");
        let machine = function(drivers, 1, "0x010802\n");
        let machine = function(machine, 2, "0x020700\n");
        let machine = function(machine, 3, "0x010802\n")
            .file("sys/bus/pci/devices/0000:03:00.0/infiniband/mlx5_0/x", "")
            .file("sys/bus/pci/devices/0000:04:00.0/class", "0x020000\n");
        let host = machine.host();
        let may = |at: u8| {
            let address = format!("0000:0{at}:00.0").parse().unwrap();
            may_have_one(host.sysfs(), address)
        };
        assert_eq!([1, 2, 3, 4].map(may), [false, true, true, false]);
    }

    /// Interface 3 of the caller's namespace is another one than that of the /sys it sees.
    #[test]
    fn an_interface_of_another_namespace_is_not_taken_for_ours() {
        assert_eq!(found(kernel("eth0", Some("0000:09:00.0"))), None);
        assert_eq!(found(kernel("eth0", None)), None);
        let gone = Arc::new(|_, _: &[u8]| Answer::Refused(Errno::ENODEV, None));
        assert_eq!(found(gone), None);
    }
}

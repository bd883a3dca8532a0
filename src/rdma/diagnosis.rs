//! `Diagnosis`: the evidence, looked up after an operation failed, that tells why it did.

use nix::errno::Errno;

use super::error::RdmaError;
use super::whereabouts::{self, Search, Sighting, Wanted};
use super::{device, link};
use crate::kernel::modules::{self, Availability};
use crate::kernel::namespaces;
use crate::kernel::privilege::{self, Privilege};
use crate::kernel::{Conn, Host, Namespace, Netns, NetnsError, interfaces};
use crate::types::near::near;

/// What was tried, as far as the error does not say it itself.
#[derive(Debug, Clone, Copy)]
pub enum Attempt<'a> {
    /// To move a device to this namespace.
    Move(&'a Netns),
    /// To add a software device of this type to this interface.
    AddLink {
        /// `rxe`, `siw`.
        kind: &'a str,
        /// The interface.
        netdev: &'a str,
    },
    /// To remove a software device.
    DeleteLink(&'a str),
    /// To add a sub-device to this device, or to remove this sub-device.
    SubDevice(&'a str),
    /// Anything else.
    Other,
}

/// Why an operation failed.
#[derive(Debug)]
pub enum Diagnosis {
    /// Nothing is known beyond the error itself.
    Plain,
    /// The kernel's RDMA subsystem cannot be had.
    NoRdma {
        /// Whether its module can.
        ib_core: Availability,
        /// The running kernel.
        release: Option<String>,
    },
    /// These namespaces keep the mode as it is.
    NamespacesExist {
        /// None when they are dying or cannot be found.
        blockers: Vec<Namespace>,
        /// Processes that the caller may not look at.
        hidden: usize,
    },
    /// The device that cannot be moved, or was not made by `link add`, belongs to this driver.
    Driver(Option<String>),
    /// The device is not here.
    NotHere {
        /// Where it is.
        search: Search,
        /// Devices here with names like it.
        near: Vec<String>,
    },
    /// Who has the name.
    NameTaken(Search),
    /// The last port of the device.
    LastPort(Option<u32>),
    /// The caller may not.
    NotPermitted {
        /// What it may.
        privilege: Option<Privilege>,
        /// Whether the initial user namespace owns the namespace of the move.
        target_is_ours: Option<bool>,
        /// The interface is a VLAN, on which soft-RoCE refuses to sit.
        vlan: bool,
    },
    /// `link add` knows no such type.
    LinkType {
        /// The type that was asked for.
        kind: String,
        /// The types that modules of the running kernel offer.
        offered: Vec<String>,
    },
    /// The interface is not here.
    NoInterface {
        /// The interface.
        netdev: String,
        /// Interfaces here with names like it.
        near: Vec<String>,
        /// Namespaces that have it.
        elsewhere: Vec<Namespace>,
    },
    /// The interface has a software device already.
    InterfaceTaken {
        /// The interface.
        netdev: String,
        /// The device, if it can be seen.
        device: Option<String>,
    },
    /// The driver of the device has no sub-devices, or the device is none.
    NoSubDevices(String),
    /// The running kernel, which is too old.
    Release(Option<String>),
}

/// Finds out why an operation of the calling thread, over `conn` if there is one, failed.
///
/// Nothing here fails: what cannot be found out is left out.
pub fn diagnose(
    host: &Host,
    conn: Option<&mut Conn>,
    error: &RdmaError,
    attempt: Attempt<'_>,
) -> Diagnosis {
    match error {
        RdmaError::NoRdma => Diagnosis::NoRdma {
            ib_core: modules::availability(host, "ib_core"),
            release: modules::release(host),
        },
        RdmaError::NoSuchDevice { name } | RdmaError::Gone { device: name } => {
            not_here(host, conn, name)
        }
        RdmaError::NoSuchPort { device, .. } => {
            let found = conn.and_then(|conn| device::find(conn, device).ok());
            Diagnosis::LastPort(found.and_then(|device| device.last_port))
        }
        RdmaError::NameTaken { name, .. } => name_taken(host, conn, name, attempt),
        RdmaError::SharedMode { .. } => Diagnosis::Plain,
        RdmaError::NotMovable { device, .. } => Diagnosis::Driver(driver(host, device)),
        RdmaError::NamespacesExist { .. } => {
            let survey = namespaces::others(host).unwrap_or_default();
            let (blockers, hidden) = (survey.namespaces, survey.hidden);
            Diagnosis::NamespacesExist { blockers, hidden }
        }
        RdmaError::NotPermitted { .. } => not_permitted(host, attempt),
        RdmaError::TooOld { .. } => Diagnosis::Release(modules::release(host)),
        RdmaError::Refused { refusal, .. } => refused(host, conn, refusal.errno, attempt),
        RdmaError::Statistic(_) | RdmaError::NotDone { .. } | RdmaError::Netlink(_) => {
            Diagnosis::Plain
        }
    }
}

fn not_here(host: &Host, conn: Option<&mut Conn>, name: &str) -> Diagnosis {
    let Some(conn) = conn else {
        return Diagnosis::Plain;
    };
    let Ok(search) = whereabouts::search(host, conn, Wanted::Name(name)) else {
        return Diagnosis::Plain;
    };
    let here = device::list(conn).unwrap_or_default();
    let names = here.iter().map(|device| device.name.as_str());
    Diagnosis::NotHere {
        search,
        near: near(name, names),
    }
}

fn name_taken(host: &Host, conn: Option<&mut Conn>, name: &str, attempt: Attempt<'_>) -> Diagnosis {
    let found = conn.and_then(|conn| whereabouts::search(host, conn, Wanted::Name(name)).ok());
    let Some(mut search) = found else {
        return Diagnosis::Plain;
    };
    if let Attempt::Move(target) = attempt {
        // Here is the device that was to be moved; names count in the target alone (7.3).
        search.here.clear();
        let holds_it = |seen: &Sighting| seen.namespace.id == target.id();
        search.elsewhere.retain(holds_it);
    }
    Diagnosis::NameTaken(search)
}

fn not_permitted(host: &Host, attempt: Attempt<'_>) -> Diagnosis {
    let target = match attempt {
        Attempt::Move(target) => privilege::is_of_initial_userns(target),
        _ => None,
    };
    let vlan = match attempt {
        Attempt::AddLink { netdev, .. } => interfaces::is_vlan(host, netdev),
        _ => false,
    };
    Diagnosis::NotPermitted {
        privilege: Privilege::of_caller(host),
        target_is_ours: target,
        vlan,
    }
}

/// What a bare errno means depends on what was tried.
fn refused(host: &Host, conn: Option<&mut Conn>, errno: Errno, attempt: Attempt<'_>) -> Diagnosis {
    match (attempt, errno) {
        (Attempt::AddLink { kind, .. }, Errno::EINVAL) => Diagnosis::LinkType {
            kind: kind.to_owned(),
            offered: modules::link_types(host),
        },
        (Attempt::AddLink { netdev, .. }, Errno::ENODEV) => {
            let here = interfaces::list(host);
            Diagnosis::NoInterface {
                netdev: netdev.to_owned(),
                near: near(netdev, here.iter().map(String::as_str)),
                elsewhere: whereabouts::interface(host, netdev),
            }
        }
        (Attempt::AddLink { netdev, .. }, Errno::EEXIST) => {
            let ports = conn.and_then(|conn| link::ports(conn, None).ok());
            let mut ports = ports.unwrap_or_default().into_iter();
            Diagnosis::InterfaceTaken {
                netdev: netdev.to_owned(),
                device: ports
                    .find(|port| port.netdev.as_deref() == Some(netdev))
                    .map(|port| port.device),
            }
        }
        (Attempt::DeleteLink(device), Errno::EINVAL) => Diagnosis::Driver(driver(host, device)),
        (Attempt::SubDevice(device), Errno::EOPNOTSUPP) => {
            Diagnosis::NoSubDevices(device.to_owned())
        }
        _ => Diagnosis::Plain,
    }
}

/// The driver of the hardware below a device; software devices have none.
fn driver(host: &Host, device: &str) -> Option<String> {
    let path = format!("{}/device/driver", folder(device)?);
    host.sysfs().link_name(path).ok()
}

/// Whether a device is one that nobody can delete.
pub(super) fn is_hardware(host: &Host, device: &str) -> bool {
    // Before 5.11 soft-RoCE had the parent of its interface for its own, and this attribute.
    let is_soft = || folder(device).is_some_and(|at| host.sysfs().exists(at + "/parent"));
    driver(host, device).is_some() && !is_soft()
}

fn folder(device: &str) -> Option<String> {
    // The kernel writes `!` for `/` in file names (kobject_set_name_vargs).
    let name = device.replace('/', "!");
    let sound = !matches!(name.as_str(), "" | "." | "..");
    sound.then(|| format!("class/infiniband/{name}"))
}

/// Why a network namespace cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetnsDiagnosis {
    /// Nothing is known beyond the error itself.
    Plain,
    /// No namespace has this name; these are called nearly so.
    Unknown {
        /// Names like it.
        near: Vec<String>,
        /// How many named namespaces there are.
        named: usize,
    },
    /// The caller may not enter it.
    NotPermitted(Option<Privilege>),
}

/// Finds out why a network namespace cannot be used.
pub fn diagnose_netns(host: &Host, error: &NetnsError) -> NetnsDiagnosis {
    match error {
        NetnsError::Open { word, source } => match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) => unknown(host, word),
            Some(Errno::EACCES | Errno::EPERM) => {
                NetnsDiagnosis::NotPermitted(Privilege::of_caller(host))
            }
            _ => NetnsDiagnosis::Plain,
        },
        NetnsError::Enter { errno, .. } if *errno == Errno::EPERM => {
            NetnsDiagnosis::NotPermitted(Privilege::of_caller(host))
        }
        NetnsError::NotNetns { .. } | NetnsError::Enter { .. } | NetnsError::Thread { .. } => {
            NetnsDiagnosis::Plain
        }
    }
}

fn unknown(host: &Host, word: &str) -> NetnsDiagnosis {
    let all = namespaces::list(host).unwrap_or_default();
    let named = all.iter().filter(|namespace| !namespace.paths.is_empty());
    let words: Vec<String> = named.map(Namespace::word).collect();
    NetnsDiagnosis::Unknown {
        near: near(word, words.iter().map(String::as_str)),
        named: words.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Refusal;
    use crate::kernel::fake::{Machine, nldev};
    use crate::types::NetnsMode;

    fn refusal(errno: Errno) -> Refusal {
        Refusal {
            errno,
            message: None,
        }
    }

    fn told(machine: &Machine, error: &RdmaError, attempt: Attempt<'_>) -> Diagnosis {
        let host = machine.host_with(nldev(1, &["mlx5_0", "mlx5_1"]));
        let mut conn = host.rdma().unwrap();
        diagnose(&host, Some(&mut conn), error, attempt)
    }

    #[test]
    fn a_name_like_it() {
        let error = RdmaError::NoSuchDevice {
            name: "mxl5_0".to_owned(),
        };
        let Diagnosis::NotHere { near, search } = told(&Machine::new(), &error, Attempt::Other)
        else {
            panic!();
        };
        assert_eq!(near[0], "mlx5_0");
        assert!(search.here.is_empty());
    }

    #[test]
    fn the_driver_behind_a_device() {
        let machine = Machine::new()
            .file("sys/bus/pci/drivers/qedr/bind", "")
            .link("sys/devices/pci/driver", "../../bus/pci/drivers/qedr")
            .link("sys/class/infiniband/a!b/device", "../../../devices/pci");
        assert_eq!(driver(&machine.host(), "a/b").as_deref(), Some("qedr"));
        for name in ["", ".", "..", "../..", "rxe0", "a\0b"] {
            assert_eq!(driver(&machine.host(), name), None, "{name}");
        }
    }

    #[test]
    fn a_bare_errno_of_link_add() {
        let machine = Machine::new()
            .file("proc/sys/kernel/osrelease", "6.1.0\n")
            .file(
                "lib/modules/6.1.0/modules.alias",
                "alias rdma-link-rxe rdma_rxe\n",
            )
            .file("proc/thread-self/net/dev", "\n\neth0: 0\neth1: 0\n");
        let attempt = Attempt::AddLink {
            kind: "siw",
            netdev: "eht0",
        };
        let refused = |errno| RdmaError::Refused {
            what: String::new(),
            refusal: refusal(errno),
        };
        match told(&machine, &refused(Errno::EINVAL), attempt) {
            Diagnosis::LinkType { offered, .. } => assert_eq!(offered, ["rxe"]),
            other => panic!("{other:?}"),
        }
        match told(&machine, &refused(Errno::ENODEV), attempt) {
            Diagnosis::NoInterface { near, .. } => assert_eq!(near[0], "eth0"),
            other => panic!("{other:?}"),
        }
        let taken = told(&machine, &refused(Errno::EEXIST), attempt);
        assert!(matches!(
            taken,
            Diagnosis::InterfaceTaken { device: None, .. }
        ));
        let other = told(&machine, &refused(Errno::EIO), attempt);
        assert!(matches!(other, Diagnosis::Plain));
    }

    #[test]
    fn blockers_are_looked_for_everywhere() {
        let machine = Machine::new()
            .link("proc/self/ns/pid", "pid:[4026531836]")
            .process(1, "net:[100]", "systemd", "0::/")
            .link("proc/1/fd/7", "net:[300]");
        let error = RdmaError::NamespacesExist {
            wanted: NetnsMode::Exclusive,
            refusal: refusal(Errno::EBUSY),
        };
        match told(&machine, &error, Attempt::Other) {
            Diagnosis::NamespacesExist { blockers, .. } => assert_eq!(blockers.len(), 1),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_namespace_called_nearly_so() {
        let machine = Machine::new().file(
            "proc/self/mountinfo",
            "9 9 0:4 net:[400] /run/netns/pod-blue rw - nsfs nsfs rw\n",
        );
        let host = machine.host();
        let error = Netns::open(&host, "pod-bleu").unwrap_err();
        let expected = NetnsDiagnosis::Unknown {
            near: vec!["pod-blue".to_owned()],
            named: 1,
        };
        assert_eq!(diagnose_netns(&host, &error), expected);
    }
}

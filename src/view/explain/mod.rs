//! `Explanation`: what went wrong, why, and what to type next.

pub mod binding;
mod blockers;
pub mod causes;
mod device;
mod gaps;
pub mod installation;
mod lease;
pub mod oci;
pub mod provision;
mod removal;
pub mod select;
mod software;
mod statistic;
pub mod usage;
pub mod vf_change;
pub mod vf_count;
mod vf_refusal;

use std::fmt;

use nix::errno::Errno;

use crate::kernel::modules::Availability;
use crate::kernel::{NetlinkError, NetnsError, Privilege, Refusal};
use crate::rdma::RdmaError;
use crate::rdma::diagnosis::{Diagnosis, NetnsDiagnosis};

pub(in crate::view) use blockers::end;
pub use gaps::gaps;
pub use lease::lease;
pub use removal::{in_use, stuck};

/// An error as a person needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The line that iproute2 prints, or ours where it has none.
    pub headline: String,
    /// Why it happened.
    pub cause: Option<String>,
    /// The next command, as it is typed.
    pub cure: Option<String>,
}

impl fmt::Display for Explanation {
    /// Line by line, each with its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline)?;
        for (label, line) in [("cause", &self.cause), ("  fix", &self.cure)] {
            if let Some(line) = line {
                writeln!(f, "{label}: {line}")?;
            }
        }
        Ok(())
    }
}

impl Explanation {
    /// A headline that says all there is to say.
    pub fn of(headline: String) -> Self {
        Self {
            headline,
            cause: None,
            cure: None,
        }
    }
}

/// Why, and what to type next.
type Advice = (Option<String>, Option<String>);

/// Explains an error of the RDMA subsystem by what was found out about it.
pub fn explain(error: &RdmaError, diagnosis: &Diagnosis) -> Explanation {
    let (cause, cure) = match diagnosis {
        Diagnosis::Plain => plain(error),
        Diagnosis::NoRdma { ib_core, release } => no_rdma(*ib_core, release.as_deref()),
        Diagnosis::NamespacesExist { blockers, hidden } => {
            blockers::advice(error, blockers, *hidden)
        }
        Diagnosis::Driver(driver) => device::driver_advice(error, driver.as_deref()),
        Diagnosis::NotHere { search, near } => device::not_here(error, search, near),
        Diagnosis::NameTaken(search) => device::name_taken(error, search),
        Diagnosis::LastPort(last) => (
            Some(match last {
                None => error.to_string(),
                Some(1) => format!("{error}: its only port is 1"),
                Some(last) => format!("{error}: its ports are 1 to {last}"),
            }),
            None,
        ),
        Diagnosis::NotPermitted {
            privilege,
            target_is_ours,
            vlan,
        } => not_permitted(*privilege, *target_is_ours, *vlan),
        Diagnosis::LinkType { kind, offered } => software::link_type(kind, offered),
        Diagnosis::NoInterface {
            netdev,
            near,
            elsewhere,
        } => software::no_interface(netdev, near, elsewhere),
        Diagnosis::InterfaceTaken { netdev, device } => {
            software::interface_taken(netdev, device.as_deref())
        }
        Diagnosis::NoSubDevices(device) => (
            Some(format!(
                "{device} is no sub-device, or its driver has none: only mlx5 does"
            )),
            None,
        ),
        Diagnosis::Release(release) => (
            Some(match release {
                Some(release) => format!("{error}; this is {release}"),
                None => error.to_string(),
            }),
            None,
        ),
    };
    Explanation {
        headline: headline(error),
        cause,
        cure,
    }
}

/// Explains why a network namespace cannot be used.
pub fn explain_netns(error: &NetnsError, diagnosis: &NetnsDiagnosis) -> Explanation {
    let (cause, cure) = match diagnosis {
        NetnsDiagnosis::Plain => (None, None),
        NetnsDiagnosis::Unknown { near, named } => {
            let cause = match (near.is_empty(), named) {
                (false, _) => format!("names near to it: {}", near.join(", ")),
                (true, 0) => "no network namespace has a name".to_owned(),
                (true, named) => format!("{named} named network namespaces exist, none near to it"),
            };
            (Some(cause), Some("ip netns list".to_owned()))
        }
        NetnsDiagnosis::NotPermitted(privilege) => {
            let inside = privilege.is_some_and(|privilege| !privilege.initial_userns);
            let cause = if inside {
                "entering a network namespace takes CAP_SYS_ADMIN in the user namespace that owns it, and the caller is in another one"
            } else {
                "entering a network namespace takes CAP_SYS_ADMIN"
            };
            (Some(cause.to_owned()), Some(AS_ROOT.to_owned()))
        }
    };
    Explanation {
        headline: error.to_string(),
        cause,
        cure,
    }
}

const AS_ROOT: &str = "run the command as root on the host";

/// The lines of iproute2: the kernel's own sentence, if any, and the errno in words.
fn headline(error: &RdmaError) -> String {
    match error {
        RdmaError::NoRdma => "Failed to open NETLINK_RDMA socket".to_owned(),
        RdmaError::NoSuchDevice { name } => format!("Wrong device name - {name}"),
        RdmaError::NoSuchPort { .. } => "Wrong device name".to_owned(),
        other => other.refusal().map_or(other.to_string(), refusal_lines),
    }
}

fn refusal_lines(refusal: &Refusal) -> String {
    let errno = format!("error: {}", strerror(refusal.errno));
    match &refusal.message {
        None => errno,
        Some(message) => {
            let message = message.trim_end();
            let stop = if message.ends_with('.') { "" } else { "." };
            format!("Error: {message}{stop}\n{errno}")
        }
    }
}

/// What strerror says, which for some errnos is not what nix says.
pub fn strerror(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    match text.split_once(" (os error ") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

fn plain(error: &RdmaError) -> Advice {
    match error {
        RdmaError::SharedMode { device, .. } => (
            Some(format!(
                "the RDMA subsystem is in shared mode: {device}, as every device, is in all network namespaces and cannot be moved into one"
            )),
            Some("rdmactl system set netns exclusive".to_owned()),
        ),
        RdmaError::NameTaken { name, .. } => (
            Some(format!("another RDMA device has the name {name}")),
            None,
        ),
        RdmaError::Netlink(NetlinkError::Open { source, .. }) => (Some(source.to_string()), None),
        RdmaError::Netlink(NetlinkError::Transport(source)) => (Some(source.to_string()), None),
        RdmaError::Statistic(error) => statistic::advice(error),
        RdmaError::Refused { what, .. } => (Some(format!("the kernel refused to {what}")), None),
        _ => (None, None),
    }
}

fn no_rdma(ib_core: Availability, release: Option<&str>) -> Advice {
    let kernel = release.map_or_else(|| "this kernel".to_owned(), |r| format!("kernel {r}"));
    match ib_core {
        Availability::Missing => (
            Some(format!("{kernel} has no module ib_core, so no RDMA")),
            Some("install the package with the rest of this kernel's modules (linux-modules-extra-*, kernel-modules-extra)".to_owned()),
        ),
        Availability::Installed => (
            Some("the module ib_core is installed and not loaded".to_owned()),
            Some("modprobe ib_core".to_owned()),
        ),
        Availability::Present | Availability::Unknown => (
            Some(format!("{kernel} offers no RDMA here; its modules cannot be seen from here")),
            Some("modprobe ib_core".to_owned()),
        ),
    }
}

fn not_permitted(privilege: Option<Privilege>, target_is_ours: Option<bool>, vlan: bool) -> Advice {
    const NEEDED: &str = "this takes CAP_NET_ADMIN in the initial user namespace";
    let Some(privilege) = privilege else {
        return (Some(NEEDED.to_owned()), Some(AS_ROOT.to_owned()));
    };
    let cause = if !privilege.net_admin {
        format!("{NEEDED}, and the caller has no CAP_NET_ADMIN")
    } else if !privilege.initial_userns {
        format!(
            "{NEEDED}, and the caller has it only in a user namespace of its own, such as a container's"
        )
    } else if vlan {
        return (
            Some("soft-RoCE does not sit on a VLAN interface".to_owned()),
            None,
        );
    } else if target_is_ours == Some(false) {
        "the network namespace belongs to another user namespace, and the caller has no CAP_NET_ADMIN there".to_owned()
    } else {
        return (
            Some("the caller has CAP_NET_ADMIN in the initial user namespace; a security module may forbid it".to_owned()),
            None,
        );
    };
    (Some(cause), Some(AS_ROOT.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NetnsMode;

    pub(in crate::view) fn refusal(errno: Errno, message: Option<&str>) -> Refusal {
        Refusal {
            errno,
            message: message.map(str::to_owned),
        }
    }

    pub(in crate::view) fn refused(errno: Errno) -> RdmaError {
        RdmaError::Refused {
            what: "do it".to_owned(),
            refusal: refusal(errno, None),
        }
    }

    pub(in crate::view) fn said(error: &RdmaError, diagnosis: &Diagnosis) -> [String; 3] {
        let explanation = explain(error, diagnosis);
        [
            explanation.headline,
            explanation.cause.unwrap_or_default(),
            explanation.cure.unwrap_or_default(),
        ]
    }

    #[test]
    fn the_headline_is_that_of_iproute2() {
        let shared = |message| RdmaError::SharedMode {
            device: "rxe0".to_owned(),
            refusal: refusal(Errno::EOPNOTSUPP, message),
        };
        for (error, line) in [
            (shared(None), "error: Operation not supported"),
            (
                shared(Some(
                    "Cannot change net namespace of RDMA device in shared netns mode",
                )),
                "Error: Cannot change net namespace of RDMA device in shared netns mode.\nerror: Operation not supported",
            ),
            (
                refused(Errno::ENFILE),
                "error: Too many open files in system",
            ),
            (refused(Errno::EBUSY), "error: Device or resource busy"),
            (RdmaError::NoRdma, "Failed to open NETLINK_RDMA socket"),
            (
                RdmaError::NoSuchDevice {
                    name: "x".to_owned(),
                },
                "Wrong device name - x",
            ),
        ] {
            assert_eq!(headline(&error), line);
        }
    }

    #[test]
    fn the_meanings_of_not_permitted() {
        let error = RdmaError::NotPermitted {
            what: "x".to_owned(),
            refusal: refusal(Errno::EPERM, None),
        };
        let told = |net_admin, initial_userns, ours, vlan| {
            let diagnosis = Diagnosis::NotPermitted {
                privilege: Some(Privilege {
                    net_admin,
                    sys_admin: true,
                    initial_userns,
                }),
                target_is_ours: ours,
                vlan,
            };
            said(&error, &diagnosis)[1].clone()
        };
        assert!(told(false, true, None, false).ends_with("the caller has no CAP_NET_ADMIN"));
        assert!(told(true, false, None, false).contains("only in a user namespace of its own"));
        assert!(told(true, true, Some(false), false).contains("belongs to another user namespace"));
        assert!(told(true, true, None, true).contains("VLAN"));
        assert!(told(true, true, None, false).contains("security module"));
    }

    #[test]
    fn names_of_namespaces() {
        let error = NetnsError::Open {
            word: "pod-bleu".to_owned(),
            source: Errno::ENOENT.into(),
        };
        let diagnosis = NetnsDiagnosis::Unknown {
            near: vec!["pod-blue".to_owned()],
            named: 2,
        };
        let explanation = explain_netns(&error, &diagnosis);
        assert_eq!(
            explanation.headline,
            "Cannot open network namespace \"pod-bleu\": No such file or directory"
        );
        assert_eq!(explanation.cause.unwrap(), "names near to it: pod-blue");
    }

    #[test]
    fn old_kernels_say_which() {
        let error = RdmaError::TooOld {
            what: "add a sub-device".to_owned(),
            since: "6.11",
            refusal: refusal(Errno::EINVAL, None),
        };
        let [_, cause, _] = said(&error, &Diagnosis::Release(Some("6.1.0-49".to_owned())));
        assert_eq!(
            cause,
            "this kernel cannot add a sub-device: Linux 6.11 or later is needed; this is 6.1.0-49"
        );
        let busy = RdmaError::NamespacesExist {
            wanted: NetnsMode::Shared,
            refusal: refusal(Errno::EBUSY, None),
        };
        let none = Diagnosis::NamespacesExist {
            blockers: Vec::new(),
            hidden: 0,
        };
        assert!(said(&busy, &none)[2].contains("set netns shared"));
    }
}

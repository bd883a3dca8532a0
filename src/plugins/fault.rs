//! Errors of the floors below as CNI errors: a code, what happened, and what to do about it.
#![deny(clippy::wildcard_enum_match_arm)]

use crate::cni::{Code, Failure};
use crate::kernel::netns::NetnsError;
use crate::kernel::{FileError, LockError, NetlinkError, SysfsError};
use crate::rdma::RdmaError;
use crate::rdma::lease::LeaseError;
use crate::sriov::vf_mac::VfMacError;

pub use crate::view::explain::causes::chain;

/// No RDMA device belongs to what the configuration names.
pub const DEVICE_NOT_FOUND: Code = Code(101);
/// The device, or the attachment, is taken.
pub const DEVICE_IN_USE: Code = Code(102);
/// The kernel will not move the device.
pub const NOT_MOVABLE: Code = Code(103);
/// The device is still in the container, or lost on the way.
pub const DEVICE_AWAY: Code = Code(104);
/// CHECK found something missing.
pub const CHECK_FAILED: Code = Code(105);
/// The plugin may not do what it must.
pub const NOT_PERMITTED: Code = Code(106);

/// A lease that could not be begun or ended.
pub fn lease(error: &LeaseError) -> Failure {
    match error {
        LeaseError::Rdma(error) => rdma(error),
        LeaseError::Netns(error) => netns(error),
        LeaseError::Lock(error) => lock(error),
        LeaseError::File(error) => file(error),
        LeaseError::Sysfs(error) => sysfs(error),
        LeaseError::AlreadyLent { .. } => Failure::new(DEVICE_IN_USE, chain(error)).details(
            "a runtime must call DEL before it calls ADD again; DEL brings the device home",
        ),
        LeaseError::NoName { .. } => Failure::new(Code::IO, chain(error))
            .details("remove the records of containers that are gone from /var/lib/cni/rdma"),
        LeaseError::NoBootId => Failure::new(Code::IO, chain(error))
            .details("/proc must be mounted where the plugin runs"),
        LeaseError::Lost { .. } | LeaseError::NotHome { .. } => {
            Failure::new(DEVICE_AWAY, chain(error))
                .details("somebody else moved it at the same time, or its driver was unbound")
        }
        LeaseError::NameTaken { .. } | LeaseError::NoFreeName { .. } => Failure::new(DEVICE_IN_USE, chain(error)).details(
            "set another rdmaDeviceName, a pattern such as rdma_%d, or keep; before Linux 7.3 a name is taken in every namespace",
        ),
        LeaseError::NotRolledBack { cause, .. } => Failure::new(lease(cause).code, chain(error))
            .details("the record was kept: DEL brings the device home"),
    }
}

/// A refusal of the RDMA subsystem.
pub fn rdma(error: &RdmaError) -> Failure {
    let failure = |code| Failure::new(code, chain(error));
    match error {
        RdmaError::NoRdma => failure(Code::NOT_AVAILABLE)
            .details("load the RDMA core with the driver of the adapter: modprobe ib_core"),
        RdmaError::NoSuchDevice { .. } | RdmaError::NoSuchPort { .. } => failure(DEVICE_NOT_FOUND)
            .details("it went away while it was looked for; the runtime may try again"),
        RdmaError::Gone { .. } => failure(Code::TRY_AGAIN)
            .details("somebody else moved the device or its driver was unbound; try again"),
        RdmaError::NameTaken { .. } => failure(DEVICE_IN_USE).details(
            "another device in the target namespace has this name: rename one with rdmactl dev set DEV name NEW",
        ),
        RdmaError::SharedMode { .. } => failure(Code::NOT_AVAILABLE).details(EXCLUSIVE),
        RdmaError::NotMovable { .. } => failure(NOT_MOVABLE).details(
            "the driver of this device cannot take it away from its users; no setting changes that",
        ),
        RdmaError::NamespacesExist { .. } => failure(Code::NOT_AVAILABLE).details(EXCLUSIVE),
        RdmaError::NotPermitted { .. } => failure(NOT_PERMITTED).details(
            "the plugin needs CAP_NET_ADMIN and CAP_SYS_ADMIN in the initial user namespace: run the runtime as root",
        ),
        RdmaError::TooOld { .. } => {
            failure(Code::NOT_AVAILABLE).details("boot a newer kernel")
        }
        RdmaError::NotDone { .. } => failure(NOT_MOVABLE)
            .details("the kernel said yes and did nothing: please report kernel and driver version"),
        RdmaError::Refused { refusal, .. } => match &refusal.message {
            Some(message) => failure(NOT_MOVABLE).details(format!("the kernel says: {message}")),
            None => failure(NOT_MOVABLE).details("the kernel log may say why: dmesg | tail"),
        },
        RdmaError::Statistic(_) => failure(Code::INTERNAL),
        RdmaError::Netlink(error) => netlink(error),
    }
}

/// How to get into exclusive mode.
pub const EXCLUSIVE: &str = "in shared mode a device cannot be moved. Run rdmactl system set netns exclusive --persist: it takes effect at once when no other network namespace exists, and at the next boot otherwise";

/// A kernel that cannot be asked, or says no.
pub fn netlink(error: &NetlinkError) -> Failure {
    let code = match error {
        NetlinkError::Open { .. } | NetlinkError::Transport(_) => Code::IO,
        NetlinkError::Refused(_) => NOT_MOVABLE,
        NetlinkError::Overrun | NetlinkError::Unstable | NetlinkError::Stuck { .. } => {
            Code::TRY_AGAIN
        }
        NetlinkError::Malformed(_) => Code::INTERNAL,
    };
    Failure::new(code, chain(error))
}

/// A namespace that cannot be used.
pub fn netns(error: &NetnsError) -> Failure {
    match error {
        NetnsError::Open { .. } | NetnsError::NotNetns { .. } => {
            Failure::new(Code::INVALID_ENVIRONMENT, format!("CNI_NETNS: {error}"))
                .details("the runtime must make the namespace before it calls ADD")
        }
        NetnsError::Enter { .. } => Failure::new(NOT_PERMITTED, chain(error))
            .details("the plugin needs CAP_SYS_ADMIN over the namespace: run the runtime as root"),
        NetnsError::Thread { .. } => Failure::new(Code::TRY_AGAIN, chain(error))
            .details("the machine has no thread left: see pids.max of the runtime's control group"),
    }
}

/// A lock that was not had.
pub fn lock(error: &LockError) -> Failure {
    match error {
        LockError::Busy { holder, .. } => {
            let details = match holder {
                Some(holder) => format!(
                    "{holder} works on an RDMA device; if it hangs, see /proc/{}/stack and end it",
                    holder.pid
                ),
                None => "another plugin works on an RDMA device; fuser -v on the file shows it"
                    .to_owned(),
            };
            Failure::new(Code::TRY_AGAIN, chain(error)).details(details)
        }
        LockError::File(error) => file(error),
    }
}

/// A file that cannot be read or written.
pub fn file(error: &FileError) -> Failure {
    Failure::new(Code::IO, chain(error))
        .details("the folder must be writable and have room: df -h and mount | grep /var/lib/cni")
}

/// sysfs that cannot be read.
pub fn sysfs(error: &SysfsError) -> Failure {
    Failure::new(Code::IO, chain(error)).details("sysfs must be mounted at /sys")
}

/// VFs that could not be looked through.
pub fn vf_mac(error: &VfMacError) -> Failure {
    match error {
        VfMacError::Sysfs(error) => sysfs(error),
        VfMacError::Netlink(error) => netlink(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Refusal;
    use crate::kernel::lock_holder::Holder;
    use nix::errno::Errno;

    #[test]
    fn a_busy_lock_names_its_holder() {
        let failure = lock(&LockError::Busy {
            path: "/run/x".into(),
            holder: Some(Holder {
                pid: 812,
                command: "ib-sriov".to_owned(),
            }),
            waited: std::time::Duration::from_secs(30),
        });
        assert_eq!(failure.code, Code::TRY_AGAIN);
        assert!(failure.msg.contains("process 812 (ib-sriov), waited 30 s"));
        assert!(failure.details.contains("/proc/812/stack"));
    }

    #[test]
    fn causes_are_told_once() {
        let full = FileError {
            verb: "write",
            path: "/x".into(),
            source: Errno::ENOSPC.into(),
        };
        assert!(
            file(&full)
                .msg
                .starts_with("cannot write /x: No space left")
        );
        let error = LeaseError::File(full);
        assert_eq!(lease(&error).code, Code::IO);
        assert!(lease(&error).msg.matches("No space").count() == 1);
        let refused = RdmaError::Refused {
            what: "move x".to_owned(),
            refusal: Refusal {
                errno: Errno::EINVAL,
                message: Some("no".to_owned()),
            },
        };
        assert_eq!(rdma(&refused).details, "the kernel says: no");
    }
}

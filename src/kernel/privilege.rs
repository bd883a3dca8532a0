//! `Privilege`: what the kernel lets the caller do, and who owns a network namespace.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::libc;

use super::Host;
use super::netns::Netns;
use super::procfs::Procfs;

/// Bits of the effective set in `/proc/PID/status` (`uapi/linux/capability.h`).
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

/// `PROC_USER_INIT_INO` (`linux/proc_ns.h`): the inode of the initial user namespace.
const PROC_USER_INIT_INO: u64 = 0xEFFF_FFFD;

/// What the calling process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privilege {
    /// CAP_NET_ADMIN is effective, in its own user namespace.
    pub net_admin: bool,
    /// CAP_SYS_ADMIN is effective, in its own user namespace.
    pub sys_admin: bool,
    /// Its user namespace is the initial one, which RDMA asks for.
    pub initial_userns: bool,
}

impl Privilege {
    /// That of the calling process; `None` when `/proc` does not say.
    pub fn of_caller(host: &Host) -> Option<Self> {
        let procfs = Procfs::of(host);
        let effective = procfs.status("self", "CapEff")?;
        let effective = u64::from_str_radix(&effective, 16).ok()?;
        let userns = procfs.link("self", "ns/user")?;
        Some(Self {
            net_admin: effective >> CAP_NET_ADMIN & 1 == 1,
            sys_admin: effective >> CAP_SYS_ADMIN & 1 == 1,
            initial_userns: userns == format!("user:[{PROC_USER_INIT_INO}]").as_bytes(),
        })
    }

    /// Enough to change the RDMA subsystem.
    pub fn suffices(self) -> bool {
        self.net_admin && self.initial_userns
    }
}

/// Whether the initial user namespace owns a network namespace; `None` when the caller may not
/// know, being below the owner.
pub fn is_of_initial_userns(netns: &Netns) -> Option<bool> {
    /// `NS_GET_USERNS` (`uapi/linux/nsfs.h`).
    const NS_GET_USERNS: libc::Ioctl = 0xb701;
    #[expect(unsafe_code, reason = "nix has no wrapper for the nsfs ioctls")]
    // SAFETY: the request takes no argument and touches no memory of ours.
    let answer = unsafe { libc::ioctl(netns.as_fd().as_raw_fd(), NS_GET_USERNS) };
    if answer < 0 {
        return None;
    }
    #[expect(unsafe_code, reason = "a descriptor comes out of an ioctl as a number")]
    // SAFETY: the kernel has just opened the descriptor for this call, so nobody else owns it.
    let owner = File::from(unsafe { OwnedFd::from_raw_fd(answer) });
    let inode = owner.metadata().ok()?.ino();
    Some(inode == PROC_USER_INIT_INO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Machine, host};
    use std::path::Path;

    fn told(status: &str, userns: &str) -> Option<Privilege> {
        let machine = Machine::new()
            .file("proc/self/status", status)
            .link("proc/self/ns/user", userns);
        Privilege::of_caller(&machine.host())
    }

    #[test]
    fn capabilities_count_in_the_initial_user_namespace_only() {
        let root = told("Name:\tx\nCapEff:\t000001ffffffffff\n", "user:[4026531837]").unwrap();
        assert!(root.suffices() && root.sys_admin);
        let container = told("CapEff:\t000001ffffffffff\n", "user:[4026532456]").unwrap();
        assert!(container.net_admin && !container.suffices());
        let user = told("CapEff:\t0000000000000000\n", "user:[4026531837]").unwrap();
        assert!(!user.net_admin && !user.sys_admin && user.initial_userns);
        let some = told("CapEff:\t0000000000001000\n", "user:[4026531837]").unwrap();
        assert!(some.net_admin && !some.sys_admin);
        assert_eq!(told("CapEff:\txyz\n", "user:[1]"), None);
        assert_eq!(told("", "user:[1]"), None);
    }

    #[test]
    fn our_namespace_has_an_owner() {
        let ours = Netns::current(&host(Path::new("/"))).unwrap();
        // In a container the owner may lie above us, and then the kernel does not say.
        let _ = is_of_initial_userns(&ours);
        assert!(Privilege::of_caller(&host(Path::new("/"))).is_some());
    }
}

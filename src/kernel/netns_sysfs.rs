//! The sysfs of another network namespace, mounted where nobody sees it.
//!
//! `/sys` shows the devices of the namespace it was mounted in. A moved RDMA device is missing
//! below its PCI function there, and stands below it in this one.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::libc;

use super::Host;
use super::netns::{Netns, NetnsError};
use super::sysfs::Sysfs;

/// `FSCONFIG_CMD_CREATE` (`uapi/linux/mount.h`).
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
/// `FSOPEN_CLOEXEC` and `FSMOUNT_CLOEXEC`.
const CLOEXEC: libc::c_uint = 1;

/// A sysfs that is attached to no path and goes with the value.
#[derive(Debug)]
pub struct NetnsSysfs {
    tree: Sysfs,
    _mount: OwnedFd,
}

impl NetnsSysfs {
    /// Mounts the sysfs of `netns`; `Err` inside when the kernel refuses (before 5.2, or without
    /// CAP_SYS_ADMIN over the namespace).
    ///
    /// # Errors
    /// [`NetnsError`] when the namespace cannot be entered.
    pub fn of(netns: &Netns) -> Result<Result<Self, Errno>, NetnsError> {
        netns.within(|| {
            let mount = mount_sysfs()?;
            let root = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
            Ok(Self {
                tree: Sysfs::new(root),
                _mount: mount,
            })
        })
    }

    /// The sysfs of the calling thread's namespace: `/sys` may show another one's, such as that
    /// of an `ip netns exec`. `None` where none can be mounted; `/sys` must do then.
    pub fn of_caller(host: &Host) -> Option<Self> {
        Self::of(&Netns::current(host).ok()?).ok()?.ok()
    }

    /// The sysfs of process 1's namespace, in which every device appears first. `None` where that
    /// cannot be entered, or none can be mounted.
    pub fn of_first(host: &Host) -> Option<Self> {
        Self::of(&Netns::of_process(host, 1, "1").ok()?).ok()?.ok()
    }

    /// Its files.
    pub fn tree(&self) -> &Sysfs {
        &self.tree
    }
}

/// A new sysfs takes the calling thread's network namespace (`sysfs_init_fs_context`).
fn mount_sysfs() -> Result<OwnedFd, Errno> {
    const NAME: &CStr = c"sysfs";
    #[expect(
        unsafe_code,
        reason = "nix has no wrapper for the mount API of Linux 5.2"
    )]
    // SAFETY: the name is a NUL-terminated string that outlives the call.
    let context = unsafe { libc::syscall(libc::SYS_fsopen, NAME.as_ptr(), CLOEXEC) };
    let context = owned(context)?;
    #[expect(
        unsafe_code,
        reason = "nix has no wrapper for the mount API of Linux 5.2"
    )]
    // SAFETY: this command takes no key and no value; both are null as fsconfig(2) wants them.
    let created = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            FSCONFIG_CMD_CREATE,
            std::ptr::null::<libc::c_char>(),
            std::ptr::null::<libc::c_void>(),
            0,
        )
    };
    Errno::result(created)?;
    #[expect(
        unsafe_code,
        reason = "nix has no wrapper for the mount API of Linux 5.2"
    )]
    // SAFETY: three numbers; no memory of ours is touched.
    let mount = unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), CLOEXEC, 0) };
    owned(mount)
}

fn owned(result: libc::c_long) -> Result<OwnedFd, Errno> {
    let number = Errno::result(result)?;
    #[expect(
        unsafe_code,
        reason = "a raw system call answers with a raw descriptor"
    )]
    // SAFETY: the kernel just made this descriptor for us and nobody else owns it.
    let owned = unsafe { OwnedFd::from_raw_fd(number as i32) };
    Ok(owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CloneFlags, unshare};

    #[test]
    fn an_empty_namespace_has_nothing_but_lo() {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).ok()?;
            Netns::current(&Host::this()).ok()
        });
        // Needs root; the lab runs it for real.
        let Some(netns) = made.join().unwrap() else {
            return;
        };
        let Ok(sysfs) = NetnsSysfs::of(&netns).unwrap() else {
            return;
        };
        let names = sysfs.tree().list("class/net").unwrap();
        assert!(names.contains(&"lo".to_owned()), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("eth")));
    }
}

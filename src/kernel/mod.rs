//! The only floor that opens sockets, /sys, /proc, namespaces and state files.
#![expect(clippy::disallowed_methods, reason = "this is the floor that may")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub mod bounded;
mod burst;
pub mod child;
pub mod datagrams;
pub mod entry;
pub mod events;
#[cfg(test)]
pub mod fake;
pub mod file;
mod folder_names;
pub mod initramfs;
pub mod interfaces;
pub mod lock;
pub mod lock_holder;
mod lock_mark;
mod lock_turn;
mod lock_wait;
pub mod log_file;
mod messages;
pub mod modprobe;
pub mod module_loader;
pub mod modules;
pub mod mounts;
pub mod namespace;
pub mod namespaces;
pub mod netlink;
pub mod netlink_error;
pub mod netns;
pub mod netns_sysfs;
mod netns_talk;
pub mod open_files;
pub mod owner;
pub mod pidfd;
pub mod privilege;
pub mod process;
pub mod procfs;
pub mod program;
mod scribe;
pub mod staged;
pub mod state;
pub mod stop_signal;
pub mod sysctl;
pub mod sysfs;
mod sysfs_error;
pub mod terminal;
pub mod threads;

pub use datagrams::{Datagrams, Protocol};
pub use events::Events;
pub use file::FileError;
pub use lock::{Lock, LockError};
pub use log_file::{LogFile, LogFileError};
pub use namespace::Namespace;
pub use namespaces::Survey;
pub use netlink::Conn;
pub use netlink_error::{NetlinkError, Refusal};
pub use netns::{Netns, NetnsError};
pub use netns_talk::Kept;
pub use privilege::Privilege;
pub use sysfs::{Sysfs, SysfsError};

type Opener = dyn Fn(Protocol) -> io::Result<Box<dyn Datagrams>> + Send + Sync;

/// The machine that operations work on: where its files are, and how a socket is opened.
pub struct Host {
    root: PathBuf,
    sysfs: Sysfs,
    /// No other boot comes while a process lives.
    boot: OnceLock<String>,
    open: Box<Opener>,
}

impl Host {
    /// This machine.
    pub fn this() -> Self {
        Self::new(Path::new("/"), Box::new(datagrams::open))
    }

    /// A machine whose files lie below `root` and whose sockets come from `open`.
    pub fn new(root: &Path, open: Box<Opener>) -> Self {
        Self {
            root: root.to_owned(),
            sysfs: Sysfs::new(root.join("sys")),
            boot: OnceLock::new(),
            open,
        }
    }

    /// The sysfs tree.
    pub fn sysfs(&self) -> &Sysfs {
        &self.sysfs
    }

    /// Where an absolute path of the machine lies below the root.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// Opens NETLINK_RDMA in the calling thread's namespace; loads ib_core where it is a module.
    ///
    /// # Errors
    /// [`NetlinkError::Open`] with `EPROTONOSUPPORT` when the kernel has no RDMA.
    pub fn rdma(&self) -> Result<Conn, NetlinkError> {
        self.connect(Protocol::Rdma)
    }

    /// Opens NETLINK_ROUTE in the calling thread's namespace.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn route(&self) -> Result<Conn, NetlinkError> {
        self.connect(Protocol::Route)
    }

    /// Opens NETLINK_GENERIC in the calling thread's namespace.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn generic(&self) -> Result<Conn, NetlinkError> {
        self.connect(Protocol::Generic)
    }

    /// Opens a socket for announcements in the calling thread's namespace.
    ///
    /// # Errors
    /// [`NetlinkError::Open`]; EINVAL when the kernel announces nothing of the kind.
    pub fn events(&self, protocol: Protocol) -> Result<Events, NetlinkError> {
        let datagrams =
            (self.open)(protocol).map_err(|source| NetlinkError::Open { protocol, source })?;
        Ok(Events::new(datagrams))
    }

    fn connect(&self, protocol: Protocol) -> Result<Conn, NetlinkError> {
        let datagrams =
            (self.open)(protocol).map_err(|source| NetlinkError::Open { protocol, source })?;
        Ok(Conn::new(datagrams))
    }
}

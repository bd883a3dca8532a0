//! `Netns`: a network namespace that was opened, and work done inside it.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, setns};

use super::Host;
use super::netns_talk::Talks;

/// Where namespaces get names: iproute2 and the container runtimes, and Docker.
pub(super) const NAME_FOLDERS: [&str; 2] = ["/run/netns", "/run/docker/netns"];

/// The number that tells namespaces apart: the inode on nsfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetnsId(pub u64);

impl fmt::Display for NetnsId {
    /// As `/proc/PID/ns/net` reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net:[{}]", self.0)
    }
}

/// Why a namespace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// The word leads to nothing that can be opened.
    #[error("Cannot open network namespace \"{word}\": {}", source_text(.source))]
    Open {
        /// The word as given.
        word: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file exists and is no network namespace.
    #[error("Cannot open network namespace \"{word}\": {} is not a network namespace", .path.display())]
    NotNetns {
        /// The word as given.
        word: String,
        /// The file it led to.
        path: PathBuf,
    },
    /// The kernel did not let us in.
    #[error("Cannot enter network namespace \"{word}\": {}", .errno.desc())]
    Enter {
        /// The word as given.
        word: String,
        /// EPERM without CAP_SYS_ADMIN over it.
        errno: Errno,
    },
    /// No thread could be made to enter it.
    #[error("cannot start a thread to enter network namespace \"{word}\"")]
    Thread {
        /// The word as given.
        word: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl NetnsError {
    /// There is no such namespace, or no such process any more.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Open { source, .. } => matches!(
                source.raw_os_error().map(Errno::from_raw),
                Some(Errno::ENOENT | Errno::ESRCH)
            ),
            Self::NotNetns { .. } | Self::Enter { .. } | Self::Thread { .. } => false,
        }
    }
}

fn source_text(error: &io::Error) -> &'static str {
    error
        .raw_os_error()
        .map_or("not usable", |raw| Errno::from_raw(raw).desc())
}

/// What is found out of a namespace once, and shared by all who have it open.
#[derive(Debug, Default)]
struct Known {
    cookie: OnceLock<Option<u64>>,
    talks: Talks,
}

/// An open network namespace.
#[derive(Debug)]
pub struct Netns {
    file: OwnedFd,
    id: NetnsId,
    word: String,
    known: Arc<Known>,
}

impl Netns {
    /// Opens what iproute2 would: a path if `word` has a `/`, else the name below `/run/netns`,
    /// else the namespace of the process with that number.
    ///
    /// # Errors
    /// [`NetnsError::Open`] with the first failure, [`NetnsError::NotNetns`].
    pub fn open(host: &Host, word: &str) -> Result<Self, NetnsError> {
        if word.contains('/') {
            return Self::open_path(&host.path(word), word);
        }
        if word.is_empty() || word == "." || word == ".." {
            let source = Errno::ENOENT.into();
            return Err(NetnsError::Open {
                word: word.to_owned(),
                source,
            });
        }
        let named = Self::open_path(&host.path(NAME_FOLDERS[0]).join(word), word);
        match (named, word.parse::<u32>()) {
            (Err(NetnsError::Open { .. }), Ok(pid)) => Self::of_process(host, pid, word),
            (named, _) => named,
        }
    }

    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// [`NetnsError::Open`] when `/proc` is not there.
    pub fn current(host: &Host) -> Result<Self, NetnsError> {
        Self::open_path(&host.path("/proc/thread-self/ns/net"), "current")
    }

    /// The namespace of a process.
    ///
    /// # Errors
    /// [`NetnsError::Open`] when the process is gone or hidden.
    pub fn of_process(host: &Host, pid: u32, word: &str) -> Result<Self, NetnsError> {
        Self::open_path(
            &host.path("/proc").join(pid.to_string()).join("ns/net"),
            word,
        )
    }

    /// Opens a namespace file; `word` is what people call it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_path(path: &Path, word: &str) -> Result<Self, NetnsError> {
        let open = |source| NetnsError::Open {
            word: word.to_owned(),
            source,
        };
        let file = File::open(path).map_err(open)?;
        let inode = file.metadata().map_err(open)?.ino();
        let file = OwnedFd::from(file);
        if !is_netns(file.as_fd()) {
            return Err(NetnsError::NotNetns {
                word: word.to_owned(),
                path: path.to_owned(),
            });
        }
        Ok(Self {
            file,
            id: NetnsId(inode),
            word: word.to_owned(),
            known: Arc::default(),
        })
    }

    /// The same namespace, open a second time.
    ///
    /// # Errors
    /// [`NetnsError::Open`] when no descriptor is left.
    pub fn try_clone(&self) -> Result<Self, NetnsError> {
        let file = self.file.try_clone().map_err(|source| NetnsError::Open {
            word: self.word.clone(),
            source,
        })?;
        Ok(Self {
            file,
            id: self.id,
            word: self.word.clone(),
            known: Arc::clone(&self.known),
        })
    }

    /// The inode that tells it from every other there is; one that is gone may have had it too.
    pub fn id(&self) -> NetnsId {
        self.id
    }

    /// The number that no other namespace has in one boot (`net_gen_cookie`,
    /// `net/core/net_namespace.c`); `None` before Linux 5.14, and for who may not enter it.
    pub fn cookie(&self) -> Option<u64> {
        let read = || self.within(own_cookie).ok().flatten();
        *self.known.cookie.get_or_init(read)
    }

    /// What a thread inside read.
    pub(super) fn note(&self, cookie: Option<u64>) {
        self.known.cookie.get_or_init(|| cookie);
    }

    /// Whether it is the one that was known by this inode and cookie. Inodes are given out again
    /// as soon as they are free, cookies never; where either side has none, the inode has to do.
    pub fn is(&self, id: NetnsId, cookie: Option<u64>) -> bool {
        self.id == id && cookie.is_none_or(|cookie| self.cookie().is_none_or(|own| own == cookie))
    }

    /// What people call it.
    pub fn word(&self) -> &str {
        &self.word
    }

    pub(super) fn talks(&self) -> &Talks {
        &self.known.talks
    }

    /// Runs `work` on a thread of its own that enters the namespace, works and ends; the caller's
    /// thread never leaves its own.
    ///
    /// # Errors
    /// [`NetnsError::Enter`], [`NetnsError::Thread`]; `work` has not run then.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        thread::scope(|scope| {
            let inside = move || {
                setns(&self.file, CloneFlags::CLONE_NEWNET).map_err(|errno| NetnsError::Enter {
                    word: self.word.clone(),
                    errno,
                })?;
                Ok(work())
            };
            let handle = thread::Builder::new()
                .spawn_scoped(scope, inside)
                .map_err(|source| NetnsError::Thread {
                    word: self.word.clone(),
                    source,
                })?;
            // A panic in `work` is the caller's panic.
            handle
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The cookie of the calling thread's namespace.
pub(super) fn own_cookie() -> Option<u64> {
    let socket = UnixDatagram::unbound().ok()?;
    cookie_of(socket.as_fd())
}

/// `SO_NETNS_COOKIE` (`uapi/asm-generic/socket.h`): that of the namespace a socket was made in.
fn cookie_of(socket: BorrowedFd<'_>) -> Option<u64> {
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    #[expect(unsafe_code, reason = "nix has no wrapper for this option")]
    // SAFETY: the kernel writes at most `length` bytes to `cookie`; both live until it returns.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    (answer == 0 && length as usize == size_of::<u64>()).then_some(cookie)
}

/// `NS_GET_NSTYPE` (`uapi/linux/nsfs.h`) answers CLONE_NEWNET for a network namespace and ENOTTY
/// for a file that is no namespace.
fn is_netns(file: BorrowedFd<'_>) -> bool {
    const NS_GET_NSTYPE: libc::Ioctl = 0xb703;
    #[expect(unsafe_code, reason = "nix has no wrapper for the nsfs ioctls")]
    // SAFETY: the request takes no argument and touches no memory of ours.
    let kind = unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE) };
    kind == libc::CLONE_NEWNET
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::host;

    #[test]
    fn one_that_has_the_number_of_another_is_told_by_its_cookie() {
        let real = host(Path::new("/"));
        let (ours, again) = (Netns::current(&real), Netns::current(&real));
        let (ours, again) = (ours.unwrap(), again.unwrap());
        assert!(ours.is(again.id(), None));
        assert!(!ours.is(NetnsId(1), ours.cookie()));
        match ours.cookie() {
            Some(cookie) => {
                assert!(again.is(ours.id(), Some(cookie)));
                assert!(!again.is(ours.id(), Some(cookie + 1)));
                assert_eq!(ours.try_clone().unwrap().cookie(), Some(cookie));
            }
            // Who may not enter it has its number only.
            None => assert!(again.is(ours.id(), Some(1))),
        }
    }
}

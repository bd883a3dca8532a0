//! `Sysfs`: attributes, links and folders below one root that nothing leads out of.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::Mode;

use super::folder_names;
use super::scribe::Scribes;

pub use super::sysfs_error::SysfsError;

/// An attribute is at most one page, which one call reads to its end (`kernfs_file_read_iter`, fs/kernfs/file.c).
const PAGE: usize = 4096;
/// This also holds binary ones we never read.
const MAX_ATTRIBUTE: usize = 64 * 1024;

/// How often a file is opened anew. Each try takes microseconds, and each collision less.
const TRIES: u32 = 1000;

/// A sysfs tree; every path given to it is relative to its root.
#[derive(Debug, Clone)]
pub struct Sysfs {
    root: PathBuf,
    /// The root, once something below it was opened: it is needed for every file.
    opened: Arc<OnceLock<OwnedFd>>,
    /// The children that make writes with a deadline, while they are kept.
    pub(super) scribes: Arc<Scribes>,
}

impl Sysfs {
    /// The tree below `root`; nothing is opened yet.
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            opened: Arc::default(),
            scribes: Arc::default(),
        }
    }

    /// The tree of a folder, out of which nothing leads either: for many files of a device the way to it is walked once.
    ///
    /// # Errors
    /// [`SysfsError`].
    pub fn below(&self, path: impl AsRef<Path>) -> Result<Self, SysfsError> {
        let path = path.as_ref();
        let folder = self
            .open(path, OFlag::O_PATH | OFlag::O_DIRECTORY)
            .map_err(|errno| self.error("follow", path, errno))?;
        Ok(Self {
            root: self.root.join(path),
            opened: Arc::new(OnceLock::from(folder)),
            scribes: Arc::clone(&self.scribes),
        })
    }

    /// Where a relative path of the tree lies, for messages.
    pub fn place(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// The text of an attribute without white space around it; bad UTF-8 is replaced.
    ///
    /// # Errors
    /// [`SysfsError`]; a driver may refuse the read with any errno.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<String, SysfsError> {
        let path = path.as_ref();
        let fail = |errno| self.error("read", path, errno);
        let file = self.open(path, OFlag::O_RDONLY).map_err(fail)?;
        let mut file = File::from(file);
        let mut bytes = vec![0; PAGE];
        let mut length = 0;
        loop {
            let read = match file.read(&mut bytes[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(|error| fail(errno(&error)))?,
            };
            length += read;
            // What leaves room has come to its end.
            if length < bytes.len() || read == 0 || length >= MAX_ATTRIBUTE {
                break;
            }
            bytes.resize(2 * length, 0);
        }
        let text = String::from_utf8_lossy(&bytes[..length]);
        Ok(text.trim().to_owned())
    }

    /// The first bytes of a binary attribute, `limit` at most.
    ///
    /// # Errors
    /// [`SysfsError`]; a driver may refuse the read with any errno.
    pub fn bytes(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, SysfsError> {
        let path = path.as_ref();
        let fail = |errno| self.error("read", path, errno);
        let file = self.open(path, OFlag::O_RDONLY).map_err(fail)?;
        let mut bytes = Vec::new();
        File::from(file)
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(|error| fail(errno(&error)))?;
        Ok(bytes)
    }

    /// Writes an attribute in a single call, as sysfs wants it.
    ///
    /// # Errors
    /// [`SysfsError`] with the driver's errno.
    pub fn write(&self, path: impl AsRef<Path>, value: &str) -> Result<(), SysfsError> {
        let path = path.as_ref();
        let fail = |errno| self.error("write", path, errno);
        let file = self.open(path, OFlag::O_WRONLY).map_err(fail)?;
        let written = File::from(file)
            .write(value.as_bytes())
            .map_err(|error| fail(errno(&error)))?;
        if written == value.len() {
            Ok(())
        } else {
            Err(fail(Errno::EIO))
        }
    }

    /// The names in a folder, sorted; names that are not UTF-8 are left out.
    ///
    /// # Errors
    /// [`SysfsError`].
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Vec<String>, SysfsError> {
        let path = path.as_ref();
        let fail = |errno| self.error("list", path, errno);
        let folder = self
            .open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
            .map_err(fail)?;
        let names = folder_names::names(&folder).map_err(fail)?.into_iter();
        let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
        names.sort();
        Ok(names)
    }

    /// As [`Self::list`], where a folder that does not exist is an empty one.
    ///
    /// # Errors
    /// [`SysfsError`] for everything but absence.
    pub fn list_if_there(&self, path: impl AsRef<Path>) -> Result<Vec<String>, SysfsError> {
        match self.list(path) {
            Err(error) if error.is_absent() => Ok(Vec::new()),
            other => other,
        }
    }

    /// The last name that a link points to: the driver behind `driver`, the PF behind `physfn`.
    ///
    /// # Errors
    /// [`SysfsError`]; EINVAL when it is no link.
    pub fn link_name(&self, path: impl AsRef<Path>) -> Result<String, SysfsError> {
        let path = path.as_ref();
        let fail = |errno| self.error("follow", path, errno);
        let name = path.file_name().and_then(OsStr::to_str);
        let (Some(folder), Some(name)) = (path.parent(), name) else {
            return Err(fail(Errno::EINVAL));
        };
        let links = self.links_in(folder, [name]);
        let [target] = links.map_err(|error| fail(error.errno))?;
        target.ok_or_else(|| fail(Errno::ENOENT))
    }

    /// For each of these names of links in a folder the last name that it points to, as [`Self::link_name`] has it, or
    /// that there is no such link.
    ///
    /// # Errors
    /// [`SysfsError`]; absence of the folder itself is one.
    pub fn links_in<const N: usize>(
        &self,
        path: impl AsRef<Path>,
        names: [&str; N],
    ) -> Result<[Option<String>; N], SysfsError> {
        let path = path.as_ref();
        let fail = |errno| self.error("follow", path, errno);
        let opened;
        let folder = if path.as_os_str().is_empty() {
            self.opened_root().map_err(fail)?
        } else {
            opened = self
                .open(path, OFlag::O_PATH | OFlag::O_DIRECTORY)
                .map_err(fail)?;
            &opened
        };
        let mut found = [const { None }; N];
        for (name, found) in names.iter().zip(&mut found) {
            let fail = |errno| self.error("follow", &path.join(name), errno);
            match readlinkat(folder, Path::new(name)) {
                Ok(target) => {
                    *found = Some(last_name(&target).ok_or_else(|| fail(Errno::EILSEQ))?);
                }
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(fail(errno)),
            }
        }
        Ok(found)
    }

    /// The links of a folder whose names begin with `prefix`, sorted, each with the last name that
    /// it points to, as [`Self::link_name`] has it; what is no link any more is left out.
    ///
    /// # Errors
    /// [`SysfsError`].
    pub fn links(
        &self,
        path: impl AsRef<Path>,
        prefix: &str,
    ) -> Result<Vec<(String, String)>, SysfsError> {
        let path = path.as_ref();
        let mut names = self.list(path)?;
        names.retain(|name| name.starts_with(prefix));
        self.follow(path, names)
    }

    /// The links of these names in a folder, each with the last name that it points to; what is no link any more is
    /// left out.
    ///
    /// # Errors
    /// [`SysfsError`].
    pub fn follow(
        &self,
        path: impl AsRef<Path>,
        names: Vec<String>,
    ) -> Result<Vec<(String, String)>, SysfsError> {
        let path = path.as_ref();
        let fail = |errno| self.error("follow", path, errno);
        let folder = self
            .open(path, OFlag::O_PATH | OFlag::O_DIRECTORY)
            .map_err(fail)?;
        let mut links = Vec::new();
        for name in names {
            match readlinkat(&folder, Path::new(&name)) {
                Ok(target) => links.extend(last_name(&target).map(|target| (name, target))),
                Err(Errno::ENOENT | Errno::EINVAL) => {}
                Err(errno) => return Err(fail(errno)),
            }
        }
        Ok(links)
    }

    /// Whether the file exists and can be reached inside the tree.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.open(path.as_ref(), OFlag::O_PATH).is_ok()
    }

    /// Opens below the root; the kernel refuses links and `..` that lead out of it (EXDEV).
    fn open(&self, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
        if path
            .components()
            .any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
        {
            return Err(Errno::EXDEV);
        }
        let root = self.opened_root()?;
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .mode(Mode::empty())
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        patiently(|| openat2(root, path, how))
    }

    pub(super) fn opened_root(&self) -> Result<&OwnedFd, Errno> {
        if let Some(root) = self.opened.get() {
            return Ok(root);
        }
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
        let root = openat2(AT_FDCWD, &self.root, how)?;
        Ok(self.opened.get_or_init(|| root))
    }

    fn error(&self, verb: &'static str, path: &Path, errno: Errno) -> SysfsError {
        SysfsError {
            verb,
            path: self.root.join(path),
            errno,
        }
    }
}

/// While a file is renamed or a filesystem mounted anywhere on the machine, the kernel cannot tell
/// that a `..` stays below the root, and wants to be asked again (EAGAIN, `openat2(2)`). Every link
/// of sysfs has one, and containers that start mount a lot.
fn patiently<T>(mut open: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    for _ in 1..TRIES {
        match open() {
            Err(Errno::EAGAIN) => std::thread::yield_now(),
            other => return other,
        }
    }
    open()
}

fn last_name(target: &OsStr) -> Option<String> {
    let last = Path::new(target).file_name()?.as_bytes();
    String::from_utf8(last.to_vec()).ok()
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

#[cfg(test)]
mod tests;

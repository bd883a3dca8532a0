//! `Entry`: what stands at a path, without opening it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::file::{FileError, if_there};

/// What an entry is, or what the link in its place leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A device, a pipe or a socket.
    Special,
    /// A link that leads to nothing.
    Dangling,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Where the link leads, if it is one.
    pub target: Option<PathBuf>,
    /// Bytes.
    pub size: u64,
    /// Somebody may run it.
    pub is_executable: bool,
    /// Device and inode: the same for every name of one file.
    pub identity: (u64, u64),
}

/// What stands at `path`; `None` when there is nothing.
///
/// # Errors
/// [`FileError`] for everything but absence.
pub fn look(path: &Path) -> Result<Option<Entry>, FileError> {
    let fail = |source| FileError {
        verb: "look at",
        path: path.to_owned(),
        source,
    };
    let Some(own) = if_there(fs::symlink_metadata(path)).map_err(fail)? else {
        return Ok(None);
    };
    let target = own.is_symlink().then(|| fs::read_link(path).ok()).flatten();
    let behind = match fs::metadata(path) {
        // A chain of links that never ends leads nowhere either.
        Err(error) if error.raw_os_error() == Some(nix::libc::ELOOP) => None,
        other => if_there(other).map_err(fail)?,
    };
    let meta = behind.as_ref().unwrap_or(&own);
    Ok(Some(Entry {
        kind: match &behind {
            None => Kind::Dangling,
            Some(meta) if meta.is_file() => Kind::File,
            Some(meta) if meta.is_dir() => Kind::Folder,
            Some(_) => Kind::Special,
        },
        target,
        size: meta.len(),
        is_executable: meta.permissions().mode() & 0o111 != 0,
        identity: (meta.dev(), meta.ino()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn files_links_and_what_they_lead_to() {
        let machine = Machine::new()
            .file("bin/own", "x")
            .link("bin/rdma", "own")
            .link("bin/gone", "nothing")
            .link("bin/round", "round");
        let kind = |name: &str| look(&machine.path(name)).unwrap().map(|entry| entry.kind);
        let own = look(&machine.path("bin/own")).unwrap().unwrap();
        let link = look(&machine.path("bin/rdma")).unwrap().unwrap();
        assert_eq!(
            (own.kind, own.size, own.is_executable),
            (Kind::File, 1, false)
        );
        assert_eq!(own.identity, link.identity);
        assert_eq!((own.target, link.target), (None, Some("own".into())));
        assert_eq!(kind("bin/gone"), Some(Kind::Dangling));
        assert_eq!(kind("bin/round"), Some(Kind::Dangling));
        assert_eq!(kind("bin"), Some(Kind::Folder));
        assert_eq!(kind("bin/none"), None);
        assert_eq!(kind("bin/own/below"), None);
    }
}

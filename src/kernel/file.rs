//! Small files outside /sys: read with a limit, replaced whole or not at all, removed for good.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

use super::folder_names;

/// An access to a file that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {}", .path.display())]
pub struct FileError {
    /// What was tried: `read`, `write`, `remove`, `list`, `create folder`.
    pub verb: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl FileError {
    fn new(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            verb,
            path: path.to_owned(),
            source,
        }
    }
}

/// The content of a file, at most `limit` bytes of it; `None` when it does not exist.
///
/// # Errors
/// [`FileError`] for everything but absence.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    let fail = |source| FileError::new("read", path, source);
    let Some(file) = if_there(File::open(path)).map_err(fail)? else {
        return Ok(None);
    };
    Ok(Some(content(file, limit).map_err(fail)?))
}

/// Without room to begin with, reading begins with 32 bytes.
fn content(file: File, limit: u64) -> io::Result<Vec<u8>> {
    const USUAL: u64 = 4096;
    let room = usize::try_from(limit.min(USUAL)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(room);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`read`], of regular files only: a pipe or a terminal in the place of one is not waited for.
///
/// # Errors
/// [`FileError`] for everything but absence; `InvalidInput` for what is no regular file.
pub fn read_regular(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    let fail = |source| FileError::new("read", path, source);
    let mut how = OpenOptions::new();
    how.read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let Some(file) = if_there(how.open(path)).map_err(fail)? else {
        return Ok(None);
    };
    if !file.metadata().map_err(fail)?.is_file() {
        let why = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
        return Err(fail(why));
    }
    Ok(Some(content(file, limit).map_err(fail)?))
}

/// `None` for what does not exist.
pub(super) fn if_there<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The names in a folder, sorted; empty when it does not exist.
///
/// # Errors
/// [`FileError`] for everything but absence.
pub fn list(folder: &Path) -> Result<Vec<OsString>, FileError> {
    let fail = |source| FileError::new("list", folder, source);
    let mut how = OpenOptions::new();
    how.read(true).custom_flags(libc::O_DIRECTORY);
    let Some(folder) = if_there(how.open(folder)).map_err(fail)? else {
        return Ok(Vec::new());
    };
    let mut names = folder_names::names(&folder).map_err(|errno| fail(errno.into()))?;
    names.sort();
    Ok(names)
}

/// Puts `content` in the place of `path`, so that a reader, or a machine that loses power, finds
/// the old content or the new and nothing between.
///
/// # Errors
/// [`FileError`]; `path` is unchanged and no temporary file is left then.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let fail = |source| FileError::new("write", path, source);
    let (folder, name) = match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => (folder, name),
        _ => return Err(fail(io::ErrorKind::InvalidInput.into())),
    };
    let temporary = temporary(folder, name);
    let written = write_new(&temporary, content, mode)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|error| {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
        fail(error)
    })
}

/// Writes over the beginning of a file that is there, and stays what it is to those who lock it.
///
/// # Errors
/// [`FileError`], absence among them; `content` may be there in part then.
pub fn overwrite(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let mut how = OpenOptions::new();
    how.write(true).custom_flags(libc::O_NOFOLLOW);
    let written = how
        .open(path)
        .and_then(|file| file.write_all_at(content, 0));
    written.map_err(|source| FileError::new("write", path, source))
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut how = OpenOptions::new();
    how.write(true).create_new(true).mode(mode);
    let mut file = match how.open(path) {
        // A leftover of a killed process that had our number.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            how.open(path)?
        }
        opened => opened?,
    };
    file.write_all(content)?;
    file.sync_all()
}

/// Makes `path` with `content`, whole, unless there is something already; whether it did.
///
/// # Errors
/// [`FileError`]; nothing is left then.
pub fn create(path: &Path, content: &[u8], mode: u32) -> Result<bool, FileError> {
    let fail = |source| FileError::new("write", path, source);
    let (folder, name) = match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => (folder, name),
        _ => return Err(fail(io::ErrorKind::InvalidInput.into())),
    };
    let temporary = temporary(folder, name);
    let linked =
        write_new(&temporary, content, mode).and_then(|()| match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
            Ok(()) => Ok(true),
        });
    // Its content lives on under the other name, or nobody wants it.
    let _ = fs::remove_file(&temporary);
    let created = linked.map_err(fail)?;
    if created {
        let lasting = File::open(folder).and_then(|folder| folder.sync_all());
        lasting.map_err(|error| {
            // What may not last must not stay either.
            let _ = fs::remove_file(path);
            fail(error)
        })?;
    }
    Ok(created)
}

/// Hidden, so that no reader of the folder takes it for a record; short, whatever the name is.
fn temporary(folder: &Path, name: &OsStr) -> PathBuf {
    folder.join(format!(
        ".{}.{:08x}.tmp",
        std::process::id(),
        hash(name.as_encoded_bytes())
    ))
}

/// Removes a file and makes that last; one that is not there is removed already.
///
/// # Errors
/// [`FileError`] for everything but absence.
pub fn remove(path: &Path) -> Result<(), FileError> {
    let fail = |source| FileError::new("remove", path, source);
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fail(error)),
        Ok(()) => match path.parent() {
            Some(folder) => File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(fail),
            None => Ok(()),
        },
    }
}

/// Makes a folder and those above it; one that exists stays as it is.
///
/// # Errors
/// [`FileError`].
pub fn make_folder(path: &Path, mode: u32) -> Result<(), FileError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|source| FileError::new("create folder", path, source))
}

/// FNV-1a: keeps two temporary names apart; nothing depends on its strength.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn replaced_whole_with_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(255));
        replace(&path, b"one", 0o600).unwrap();
        replace(&path, b"two", 0o600).unwrap();
        assert_eq!(read(&path, 100).unwrap().unwrap(), b"two");
        assert_eq!(read(&path, 2).unwrap().unwrap(), b"tw");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(list(dir.path()).unwrap().len(), 1);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(read(&path, 100).unwrap(), None);
    }

    #[test]
    fn a_pipe_holds_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read_regular(&pipe, 100).is_err());
        assert!(read_regular(dir.path(), 100).is_err());
        assert_eq!(read_regular(&dir.path().join("none"), 100).unwrap(), None);
    }

    #[test]
    fn created_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(255));
        assert!(create(&path, b"one", 0o600).unwrap());
        assert!(!create(&path, b"two", 0o600).unwrap());
        assert_eq!(read(&path, 100).unwrap().unwrap(), b"one");
        assert!(create(&dir.path().join("no/such"), b"x", 0o600).is_err());
        assert_eq!(list(dir.path()).unwrap().len(), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("taken")).unwrap();
        assert!(replace(&dir.path().join("taken"), b"x", 0o600).is_err());
        assert!(replace(&dir.path().join("no/such"), b"x", 0o600).is_err());
        assert_eq!(list(dir.path()).unwrap(), ["taken"]);
    }
}

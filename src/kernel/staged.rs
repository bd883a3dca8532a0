//! `Staged`: a file that is written beside its place, looked at there, and put in place at once.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::file::{self, FileError};

/// What every staged file's name ends with.
const SUFFIX: &str = ".rdmactl-new";

/// Older than this, a staged file belongs to nobody any more: writing one takes seconds.
const ABANDONED: Duration = Duration::from_secs(600);

/// A whole and lasting file under a temporary name; it goes with the value unless it is put in
/// place.
#[derive(Debug)]
pub struct Staged {
    temporary: PathBuf,
    place: PathBuf,
}

impl Staged {
    /// Writes `content` beside `place`, hidden, with this mode whatever the umask is.
    ///
    /// Each call has a file of its own, so that two installers cannot mix up theirs.
    ///
    /// # Errors
    /// [`FileError`]; nothing is left then.
    pub fn write(place: &Path, content: &[u8], mode: u32) -> Result<Self, FileError> {
        let fail = |path: &Path, source| FileError {
            verb: "write",
            path: path.to_owned(),
            source,
        };
        let Some((folder, name)) = place.parent().zip(place.file_name()) else {
            return Err(fail(place, io::ErrorKind::InvalidInput.into()));
        };
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(
            ".{}.{:x}{SUFFIX}",
            std::process::id(),
            now.as_nanos()
        ));
        let temporary = folder.join(hidden);
        // O_EXCL: neither a link nor a file of somebody else is written to.
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary);
        let mut file = opened.map_err(|source| fail(&temporary, source))?;
        let staged = Self {
            temporary,
            place: place.to_owned(),
        };
        let written = file
            .write_all(content)
            .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
            .and_then(|()| file.sync_all());
        written.map_err(|source| fail(&staged.temporary, source))?;
        Ok(staged)
    }

    /// Where it is until it is put in place.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Puts it in the place of what is there, a running program or a link too, and makes that
    /// last.
    ///
    /// # Errors
    /// [`FileError`]; what was there is still there then.
    pub fn put(self) -> Result<(), FileError> {
        let fail = |source| FileError {
            verb: "replace",
            path: self.place.clone(),
            source,
        };
        fs::rename(&self.temporary, &self.place).map_err(fail)?;
        match self.place.parent() {
            Some(folder) => File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(fail),
            None => Ok(()),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Gone already when it was put in place.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Removes from a folder what killed processes left there ten minutes ago or earlier; how many.
///
/// # Errors
/// [`FileError`] when the folder cannot be listed.
pub fn sweep(folder: &Path) -> Result<usize, FileError> {
    let mut swept = 0;
    for name in file::list(folder)? {
        let is_staged = name
            .to_str()
            .is_some_and(|name| name.starts_with('.') && name.ends_with(SUFFIX));
        let path = folder.join(&name);
        let old = || {
            let meta = fs::symlink_metadata(&path).ok()?;
            let age = meta.modified().ok()?.elapsed().ok()?;
            (meta.is_file() && age > ABANDONED).then_some(())
        };
        if is_staged && old().is_some() && fs::remove_file(&path).is_ok() {
            swept += 1;
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::time::SystemTime;

    #[test]
    fn put_in_place_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("tool");
        fs::write(dir.path().join("other"), "other").unwrap();
        symlink("other", &place).unwrap();
        drop(Staged::write(&place, b"new", 0o755).unwrap());
        assert_eq!(file::list(dir.path()).unwrap(), ["other", "tool"]);
        let staged = Staged::write(&place, b"new", 0o755).unwrap();
        assert_eq!(fs::read(staged.path()).unwrap(), b"new");
        staged.put().unwrap();
        // The link gave way; what it led to is as it was.
        let meta = fs::symlink_metadata(&place).unwrap();
        assert!(meta.is_file());
        assert_eq!(meta.permissions().mode() & 0o7777, 0o755);
        assert_eq!(fs::read(dir.path().join("other")).unwrap(), b"other");
        assert_eq!(file::list(dir.path()).unwrap(), ["other", "tool"]);
    }

    #[test]
    fn a_folder_does_not_give_way() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("tool");
        fs::create_dir(&place).unwrap();
        let staged = Staged::write(&place, b"new", 0o755).unwrap();
        assert!(staged.put().is_err());
        assert_eq!(file::list(dir.path()).unwrap(), ["tool"]);
        assert!(Staged::write(&dir.path().join("no/tool"), b"", 0o755).is_err());
    }

    #[test]
    fn only_what_was_abandoned_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        for (name, age) in [
            (".rdma.1.a.rdmactl-new", 1000),
            (".rdma.2.b.rdmactl-new", 10),
            (".rdma.old", 1000),
            ("rdma.rdmactl-new", 1000),
        ] {
            let file = File::create(dir.path().join(name)).unwrap();
            let then = SystemTime::now() - Duration::from_secs(age);
            file.set_modified(then).unwrap();
        }
        assert_eq!(sweep(dir.path()).unwrap(), 1);
        let left = file::list(dir.path()).unwrap();
        assert_eq!(
            left,
            [".rdma.2.b.rdmactl-new", ".rdma.old", "rdma.rdmactl-new"]
        );
    }
}

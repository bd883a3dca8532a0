//! `Folder`: a folder of small records, each whole or not there; and the boot they belong to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::Host;
use super::file::{self, FileError};

/// A record is a few hundred bytes; Go's longest, with a whole configuration, a few thousand.
const MAX_RECORD: u64 = 1024 * 1024;

/// Longest file name (`NAME_MAX`, `uapi/linux/limits.h`).
pub const MAX_NAME: usize = 255;

/// Records by name. A name is one part of a path; anything else is absent and cannot be written.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    proc: PathBuf,
}

impl Folder {
    /// The folder at an absolute path of the machine; it is made when the first record is.
    pub fn new(host: &Host, absolute: &str) -> Self {
        Self {
            path: host.path(absolute),
            proc: host.path("/proc"),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the records, sorted; hidden files are none.
    ///
    /// # Errors
    /// [`FileError`] when it cannot be listed; a folder that does not exist is empty.
    pub fn names(&self) -> Result<Vec<String>, FileError> {
        let names = file::list(&self.path)?;
        Ok(names
            .into_iter()
            .filter_map(|name| name.into_string().ok())
            .filter(|name| is_name(name))
            .collect())
    }

    /// Those of `wanted` that may be there, in that order, by one look at the folder.
    ///
    /// # Errors
    /// [`FileError`] when it cannot be listed.
    pub fn those_of(&self, wanted: &[String]) -> Result<Vec<String>, FileError> {
        let there = self.names()?;
        let wanted = wanted.iter().filter(|name| there.contains(name));
        Ok(wanted.cloned().collect())
    }

    /// The content of a record; `None` when there is none.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FileError> {
        if is_name(name) {
            file::read_regular(&self.path.join(name), MAX_RECORD)
        } else {
            Ok(None)
        }
    }

    /// Every record by its name, decoded; `None` for one that cannot be read, or is none.
    ///
    /// # Errors
    /// [`FileError`] when the folder cannot be listed.
    pub fn all<T>(
        &self,
        decode: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<(String, Option<T>)>, FileError> {
        let read = |name: &str| decode(&self.read(name).ok()??);
        let names = self.names()?.into_iter();
        Ok(names
            .map(|name| {
                let record = read(&name);
                (name, record)
            })
            .collect())
    }

    /// Makes a record unless its name is taken; whether it did.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn create(&self, name: &str, content: &[u8]) -> Result<bool, FileError> {
        let path = self.checked("write", name)?;
        self.with_folder(|| file::create(&path, content, 0o600))
    }

    /// Writes a record in the place of what was there.
    ///
    /// # Errors
    /// [`FileError`]; the old one is still there then.
    pub fn replace(&self, name: &str, content: &[u8]) -> Result<(), FileError> {
        let path = self.checked("write", name)?;
        self.with_folder(|| file::replace(&path, content, 0o600))
    }

    /// The folder is made when it turns out not to be there, which is once in its life.
    fn with_folder<T>(&self, write: impl Fn() -> Result<T, FileError>) -> Result<T, FileError> {
        match write() {
            Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => {
                file::make_folder(&self.path, 0o700)?;
                write()
            }
            outcome => outcome,
        }
    }

    /// Removes a record; one that is not there is removed already.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn remove(&self, name: &str) -> Result<(), FileError> {
        file::remove(&self.checked("remove", name)?)
    }

    /// Makes and removes an empty file, to see whether a record could be written.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn probe(&self) -> Result<(), FileError> {
        file::make_folder(&self.path, 0o700)?;
        let path = self.path.join(format!(".{}.probe.tmp", std::process::id()));
        file::replace(&path, b"", 0o600)?;
        file::remove(&path)
    }

    /// Removes what a killed process left while it was writing.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn sweep(&self) -> Result<(), FileError> {
        for name in file::list(&self.path)? {
            let writer = name.to_str().and_then(temporary_of);
            if writer.is_some_and(|pid| !self.proc.join(pid.to_string()).exists()) {
                file::remove(&self.path.join(&name))?;
            }
        }
        Ok(())
    }

    fn checked(&self, verb: &'static str, name: &str) -> Result<PathBuf, FileError> {
        let path = self.path.join(name);
        if is_name(name) {
            return Ok(path);
        }
        Err(FileError {
            verb,
            path,
            source: std::io::ErrorKind::InvalidFilename.into(),
        })
    }
}

/// One part of a path, not hidden.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with('.')
        && !name.contains(['/', '\0'])
}

/// The process number in `.PID.xxxxxxxx.tmp`.
fn temporary_of(name: &str) -> Option<u32> {
    let inner = name.strip_prefix('.')?.strip_suffix(".tmp")?;
    inner.split_once('.')?.0.parse().ok()
}

/// The random number of this boot: identities like namespace inodes mean nothing in another.
///
/// # Errors
/// [`FileError`].
pub fn boot_id(host: &Host) -> Result<Option<String>, FileError> {
    if let Some(known) = host.boot.get() {
        return Ok(Some(known.clone()));
    }
    let bytes = file::read(&host.path("/proc/sys/kernel/random/boot_id"), 64)?;
    let boot = bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    Ok(boot.map(|boot| host.boot.get_or_init(|| boot).clone()))
}

/// The time since the machine was started, its sleep included: later in one boot is more.
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn records_come_and_go() {
        let machine = Machine::new();
        let folder = Folder::new(&machine.host(), "/var/lib/x");
        assert!(folder.names().unwrap().is_empty());
        assert!(folder.create("a", b"1").unwrap());
        assert!(!folder.create("a", b"2").unwrap());
        folder.replace("a", b"3").unwrap();
        folder.probe().unwrap();
        assert_eq!(folder.read("a").unwrap().unwrap(), b"3");
        assert_eq!(folder.names().unwrap(), ["a"]);
        let three = |bytes: &[u8]| (bytes == b"3").then_some(3);
        folder.replace("b", b"4").unwrap();
        let all = [("a".to_owned(), Some(3)), ("b".to_owned(), None)];
        assert_eq!(folder.all(three).unwrap(), all);
        folder.remove("b").unwrap();
        folder.remove("a").unwrap();
        folder.remove("a").unwrap();
        assert!(folder.names().unwrap().is_empty());
    }

    #[test]
    fn no_name_leads_out() {
        let machine = Machine::new().file("var/lib/secret", "s");
        let folder = Folder::new(&machine.host(), "/var/lib/x");
        let long = "x".repeat(256);
        for name in ["../secret", "", ".", "..", "a/b", ".hidden", long.as_str()] {
            assert_eq!(folder.read(name).unwrap(), None, "{name}");
            assert!(folder.replace(name, b"").is_err(), "{name}");
            assert!(folder.remove(name).is_err(), "{name}");
        }
    }

    #[test]
    fn what_a_dead_process_left_is_swept() {
        let machine = Machine::new()
            .file("proc/7/comm", "rdma")
            .file("var/lib/x/.7.00000000.tmp", "")
            .file("var/lib/x/.8.00000000.tmp", "")
            .file("var/lib/x/record", "");
        let folder = Folder::new(&machine.host(), "/var/lib/x");
        folder.sweep().unwrap();
        let left = file::list(folder.path()).unwrap();
        assert_eq!(left, [".7.00000000.tmp", "record"]);
    }
}

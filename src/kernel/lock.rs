//! `Lock`: an advisory lock on a file, waited for with a limit, whose holder can be named.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Host;
use super::file::{self, FileError};

/// Longest pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// What becomes of the file when the lock is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// It stays: another program locks it too.
    Kept,
    /// It goes: only programs that look twice, as this one does, lock it.
    Removed,
}

/// Who has a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Its command, at most 15 bytes.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.command)
    }
}

/// Why a lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it for longer than we wait.
    #[error("{} is locked by {}, waited {} s", .path.display(),
        .holder.as_ref().map_or_else(|| "an unknown process".to_owned(), Holder::to_string),
        .waited.as_secs())]
    Busy {
        /// The file.
        path: PathBuf,
        /// Who, when `/proc/locks` says.
        holder: Option<Holder>,
        /// How long we waited.
        waited: Duration,
    },
    /// The file cannot be made or locked.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A lock that is held until the value is dropped, or the process ends however it ends.
///
/// It is of the `flock` kind, as Go's `flock` package takes it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    lifetime: Lifetime,
}

impl Lock {
    /// Locks the file at an absolute path of the machine, made when it is not there.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn acquire(
        host: &Host,
        absolute: &str,
        limit: Duration,
        lifetime: Lifetime,
    ) -> Result<Self, LockError> {
        let path = host.path(absolute);
        let fail = |source| FileError {
            verb: "lock",
            path: path.clone(),
            source,
        };
        let begun = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let file = open(&path)?;
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => {
                    return Ok(Self {
                        file,
                        path,
                        lifetime,
                    });
                }
                // Its last holder removed it between our two calls: that was another lock.
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(fail(error).into()),
            }
            let waited = begun.elapsed();
            if waited >= limit {
                return Err(LockError::Busy {
                    holder: holder(host, &file),
                    path,
                    waited,
                });
            }
            sleep(pause.min(limit - waited));
            pause = (pause * 2).min(PAUSE);
        }
    }

    /// Removes a file that nobody locks any more, such as one whose holder was killed.
    pub fn clear(host: &Host, absolute: &str) {
        if host.path(absolute).exists() {
            // One that is locked is in use, and one that cannot be removed locks as well as a new one.
            drop(Self::acquire(
                host,
                absolute,
                Duration::ZERO,
                Lifetime::Removed,
            ));
        }
    }

    /// As [`Self::clear`], for every file of a folder.
    pub fn clear_all(host: &Host, folder: &str) {
        for name in file::list(&host.path(folder)).unwrap_or_default() {
            if let Some(name) = name.to_str() {
                Self::clear(host, &format!("{folder}/{name}"));
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Removed {
            // A file that stays locks as well as a new one.
            let _ = fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

fn open(path: &Path) -> Result<File, LockError> {
    if let Some(folder) = path.parent() {
        file::make_folder(folder, 0o700)?;
    }
    // As Go's package opens it: a read-only descriptor is enough for flock.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|source| {
            LockError::File(FileError {
                verb: "lock",
                path: path.to_owned(),
                source,
            })
        })
}

fn is_at(file: &File, path: &Path) -> bool {
    let same = |a: fs::Metadata, b: fs::Metadata| a.ino() == b.ino() && a.dev() == b.dev();
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => same(ours, there),
        _ => false,
    }
}

/// Finds the file in `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 812 00:1a:3456 0 EOF`.
fn holder(host: &Host, file: &File) -> Option<Holder> {
    let inode = file.metadata().ok()?.ino();
    let locks = file::read(&host.path("/proc/locks"), 4 * 1024 * 1024).ok()??;
    let pid = String::from_utf8_lossy(&locks)
        .lines()
        .find_map(|line| pid_of(line, inode))?;
    let comm = host.path("/proc").join(pid.to_string()).join("comm");
    let command = match file::read(&comm, 64) {
        Ok(Some(bytes)) => super::procfs::printable(String::from_utf8_lossy(&bytes).trim_end()),
        _ => "gone".to_owned(),
    };
    Some(Holder { pid, command })
}

/// Filesystems like overlayfs and btrfs show another device number there than `stat` does, so
/// the inode has to be enough.
fn pid_of(line: &str, inode: u64) -> Option<u32> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, "FLOCK", _, _, pid, place, ..] = words.as_slice() else {
        return None;
    };
    let (_, last) = place.rsplit_once(':')?;
    (last.parse() == Ok(inode)).then(|| pid.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn one_at_a_time_and_the_holder_is_named() {
        let machine = Machine::new();
        let take = |limit| {
            Lock::acquire(
                &machine.host(),
                "/run/x/lock",
                Duration::from_millis(limit),
                Lifetime::Kept,
            )
        };
        let held = take(0).unwrap();
        let inode = held.file.metadata().unwrap().ino();
        let machine2 = machine.path("proc");
        fs::write(
            machine2.join("locks"),
            format!("1: POSIX  ADVISORY  WRITE 1 00:1:{inode} 0 EOF\n2: FLOCK  ADVISORY  WRITE 812 00:1a:{inode} 0 EOF\n"),
        )
        .unwrap();
        fs::create_dir(machine2.join("812")).unwrap();
        fs::write(machine2.join("812/comm"), "ib-sriov\n").unwrap();
        let error = take(30).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("locked by process 812 (ib-sriov), waited 0 s"),
            "{error}"
        );
        drop(held);
        drop(take(0).unwrap());
        assert!(machine.path("run/x/lock").exists());
    }

    #[test]
    fn only_what_nobody_locks_is_cleared() {
        let machine = Machine::new().file("run/x/left", "");
        let host = machine.host();
        let held = Lock::acquire(&host, "/run/x/held", Duration::ZERO, Lifetime::Kept).unwrap();
        Lock::clear_all(&host, "/run/x");
        Lock::clear_all(&host, "/run/nowhere");
        assert!(!machine.path("run/x/left").exists());
        assert!(machine.path("run/x/held").exists());
        drop(held);
        Lock::clear(&host, "/run/x/held");
        Lock::clear(&host, "/run/x/none");
        assert!(file::list(&machine.path("run/x")).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_goes_still_excludes() {
        let machine = Machine::new();
        let (inside, most) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let lock = Lock::acquire(
                            &machine.host(),
                            "/run/x/lock",
                            Duration::from_secs(30),
                            Lifetime::Removed,
                        )
                        .unwrap();
                        let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
        assert!(!machine.path("run/x/lock").exists());
    }
}

//! `Lock`: an advisory lock on a file, waited for with a limit, whose holder can be named.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Host;
use super::file::{self, FileError};
use super::lock_holder::Holder;
use super::lock_mark::Mark;
use super::lock_turn::Turn;
use super::lock_wait::Wait;

/// Whether others may have it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Alone,
    Shared,
}

/// How long to wait for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// As long as the same process has it.
    pub with_one: Duration,
    /// With all who have it before us.
    pub in_all: Duration,
}

impl From<Duration> for Patience {
    /// So long, whoever has it.
    fn from(limit: Duration) -> Self {
        Self {
            with_one: limit,
            in_all: limit,
        }
    }
}

/// What becomes of the file when the lock is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// It stays: another program locks it too.
    Kept,
    /// It goes with the last who waits for it: only programs that look twice, as this one does, lock it.
    Removed,
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
    /// Locks the file at an absolute path of the machine, made when it is not there. The kernel
    /// gives it to those who wait in the order that they came (`locks_insert_block`, `fs/locks.c`).
    ///
    /// # Errors
    /// [`LockError`].
    pub fn acquire(
        host: &Host,
        absolute: &str,
        patience: impl Into<Patience>,
        lifetime: Lifetime,
    ) -> Result<Self, LockError> {
        let patience = patience.into();
        Self::take(host, absolute, None, patience, lifetime, Kind::Alone)
    }

    /// As [`Self::acquire`], for a lock that others share: who waits for it has `turn` locked, a
    /// file that is there only so long, and nobody who shares passes him.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn acquire_in_turn(
        host: &Host,
        absolute: &str,
        turn: &str,
        patience: impl Into<Patience>,
        lifetime: Lifetime,
    ) -> Result<Self, LockError> {
        let (turn, patience) = (Some(turn), patience.into());
        Self::take(host, absolute, turn, patience, lifetime, Kind::Alone)
    }

    /// As [`Self::acquire_in_turn`], but together with others that acquire it so; the file stays.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn share_in_turn(
        host: &Host,
        absolute: &str,
        turn: &str,
        patience: impl Into<Patience>,
    ) -> Result<Self, LockError> {
        let (turn, patience) = (Some(turn), patience.into());
        Self::take(host, absolute, turn, patience, Lifetime::Kept, Kind::Shared)
    }

    fn take(
        host: &Host,
        absolute: &str,
        turn: Option<&str>,
        patience: Patience,
        lifetime: Lifetime,
        kind: Kind,
    ) -> Result<Self, LockError> {
        let path = host.path(absolute);
        let turn = turn.map(|turn| host.path(turn));
        let mut wait = Wait::new(host, &path, patience);
        loop {
            let mut file = open(&path)?;
            let line = |wait: &mut Wait<'_>| {
                let turn = turn.as_deref();
                turn.map(|turn| Turn::wait_for(turn, wait, &file))
                    .transpose()
            };
            // Somebody waits to have it alone: not before him.
            let waits = kind == Kind::Shared && turn.as_deref().is_some_and(Path::exists);
            let mut first = if waits { line(&mut wait)? } else { None };
            let locked = match kind {
                Kind::Alone => file.try_lock(),
                Kind::Shared => file.try_lock_shared(),
            };
            match locked {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    if first.is_none() {
                        first = line(&mut wait)?;
                    }
                    file = wait.until_locked(file, kind, None)?;
                }
                Err(TryLockError::Error(error)) => return Err(wait.failed(error)),
            }
            drop(first);
            // Else its last holder removed it between our two calls: that was another lock.
            if is_at(&file, &path) {
                return Ok(Self {
                    file,
                    path,
                    lifetime,
                });
            }
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
        if self.lifetime == Lifetime::Removed && !Mark::is_set(&self.file) {
            // A file that stays locks as well as a new one.
            let _ = fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

pub(super) fn open(path: &Path) -> Result<File, LockError> {
    // As Go's package opens it: a read-only descriptor is enough for flock.
    let mut how = OpenOptions::new();
    how.read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    let opened = match (how.open(path), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            file::make_folder(folder, 0o700)?;
            how.open(path)
        }
        (opened, _) => opened,
    };
    opened.map_err(|source| {
        LockError::File(FileError {
            verb: "lock",
            path: path.to_owned(),
            source,
        })
    })
}

pub(super) fn is_at(file: &File, path: &Path) -> bool {
    let same = |a: fs::Metadata, b: fs::Metadata| a.ino() == b.ino() && a.dev() == b.dev();
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => same(ours, there),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use std::time::Instant;

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
        // A child that another test forks has a copy of the file for a moment.
        drop(take(60_000).unwrap());
        assert!(machine.path("run/x/lock").exists());
    }

    #[test]
    fn a_lock_that_changes_hands_is_waited_for() {
        let machine = Machine::new().file("proc/locks", "");
        let host = machine.host();
        let held = Lock::acquire(&host, "/run/x/lock", Duration::ZERO, Lifetime::Kept).unwrap();
        let inode = held.file.metadata().unwrap().ino();
        let held_by = |pid: u32| {
            let line = format!("1: FLOCK  ADVISORY  WRITE {pid} 00:1a:{inode} 0 EOF\n");
            fs::write(machine.path("proc/locks.new"), line).unwrap();
            fs::rename(machine.path("proc/locks.new"), machine.path("proc/locks")).unwrap();
        };
        let wait = |with_one, in_all| {
            let patience = Patience {
                with_one: Duration::from_millis(with_one),
                in_all: Duration::from_millis(in_all),
            };
            let begun = Instant::now();
            let got = Lock::acquire(&host, "/run/x/lock", patience, Lifetime::Kept);
            (got, begun.elapsed())
        };
        held_by(1);
        let (got, took) = wait(300, 60_000);
        assert!(matches!(got, Err(LockError::Busy { .. })), "{got:?}");
        assert!(took < Duration::from_secs(20), "{took:?}");
        thread::scope(|scope| {
            let waiter = scope.spawn(|| wait(2000, 60_000));
            for pid in 2..7 {
                thread::sleep(Duration::from_millis(900));
                held_by(pid);
            }
            drop(held);
            let (got, took) = waiter.join().unwrap();
            assert!(got.is_ok() && took > Duration::from_secs(4), "{took:?}");
        });
        // However often it changes hands, there is an end.
        let _held = Lock::acquire(&host, "/run/x/lock", Duration::ZERO, Lifetime::Kept).unwrap();
        let (got, _) = wait(60_000, 300);
        assert!(matches!(got, Err(LockError::Busy { .. })), "{got:?}");
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
    fn those_who_share_keep_out_one_who_does_not() {
        let machine = Machine::new().file("proc/locks", "");
        let host = machine.host();
        let share = || Lock::share_in_turn(&host, "/run/x/lock", "/run/x/turn", Duration::ZERO);
        let alone = |millis| {
            let limit = Duration::from_millis(millis);
            Lock::acquire(&host, "/run/x/lock", limit, Lifetime::Kept)
        };
        let (first, second) = (share().unwrap(), share().unwrap());
        drop(first);
        assert!(matches!(alone(10), Err(LockError::Busy { .. })));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| alone(60_000).map(drop));
            drop(second);
            waiter.join().unwrap().unwrap();
        });
        let _alone = alone(0).unwrap();
        assert!(matches!(share(), Err(LockError::Busy { .. })));
    }

    #[test]
    fn a_file_that_goes_still_excludes() {
        let machine = Machine::new();
        let (inside, most) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
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

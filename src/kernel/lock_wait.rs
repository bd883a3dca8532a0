//! `Wait`: a place in the queue for a lock, which says who is in front when it takes too long.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::Host;
use super::file::FileError;
use super::lock::{Kind, LockError, Patience};
use super::lock_holder;
use super::lock_mark::Mark;

/// When a waiter looks for the first time who has the lock; each time it takes twice as long, up to [`SELDOM`].
///
/// While the kernel lists whatever is locked, nobody locks any file or gives a lock back (`locks_start`, `fs/locks.c`):
/// a hundred who looked every second, and at each change of hands, had little time for work.
const LOOK: Duration = Duration::from_secs(1);
/// Often enough that who takes the lock several times is not held for one who keeps it.
const SELDOM: Duration = Duration::from_secs(10);

/// A waiter in the queue for a lock.
pub(super) struct Wait<'a> {
    host: &'a Host,
    path: &'a Path,
    patience: Patience,
    begun: Instant,
    /// Who has it, and since when that is known.
    before: (Option<u32>, Instant),
    /// Until the next look.
    until_look: Duration,
}

impl<'a> Wait<'a> {
    pub(super) fn new(host: &'a Host, path: &'a Path, patience: Patience) -> Self {
        let begun = Instant::now();
        Self {
            host,
            path,
            patience,
            begun,
            before: (None, begun),
            until_look: LOOK,
        }
    }

    /// The file, once it is locked. Who is in front is told of `wanted`, where that is another one.
    pub(super) fn until_locked(
        &mut self,
        file: File,
        kind: Kind,
        wanted: Option<&File>,
    ) -> Result<File, LockError> {
        if self.is_over(wanted.unwrap_or(&file)) {
            return Err(self.busy(wanted.unwrap_or(&file)));
        }
        let mark = Mark::set(&file);
        let (sender, receiver) = mpsc::channel();
        // The lock belongs to both descriptors: it is gone when the last one is closed, and so is one
        // that a thread gets for which nobody waits any more.
        let queued = file.try_clone().map_err(|error| self.failed(error))?;
        let lock = move || match kind {
            Kind::Alone => queued.lock(),
            Kind::Shared => queued.lock_shared(),
        };
        thread::Builder::new()
            .name("lock".to_owned())
            .spawn(move || sender.send(lock()))
            .map_err(|error| self.failed(error))?;
        loop {
            match receiver.recv_timeout(self.until_look.min(self.left())) {
                Ok(Ok(())) => break,
                Ok(Err(error)) => return Err(self.failed(error)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.failed(io::ErrorKind::Interrupted.into()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.until_look = (self.until_look * 2).min(SELDOM);
            self.look(wanted.unwrap_or(&file));
            if self.left().is_zero() {
                return Err(self.busy(wanted.unwrap_or(&file)));
            }
        }
        drop(mark);
        Ok(file)
    }

    /// What was seen last may be long ago: nobody gives up without another look.
    fn is_over(&mut self, file: &File) -> bool {
        if self.left().is_zero() {
            self.look(file);
        }
        self.left().is_zero()
    }

    fn look(&mut self, file: &File) {
        let now = lock_holder::pid(self.host, file);
        if now != self.before.0 {
            // Whoever is seen first may have had it when the wait began, or since nobody was seen.
            let since = match self.before {
                (None, since) => since,
                (Some(_), _) => Instant::now(),
            };
            self.before = (now, since);
        }
    }

    fn left(&self) -> Duration {
        let with_one = self.patience.with_one;
        let with_one = with_one.saturating_sub(self.before.1.elapsed());
        let in_all = self.patience.in_all.saturating_sub(self.begun.elapsed());
        with_one.min(in_all)
    }

    fn busy(&self, file: &File) -> LockError {
        LockError::Busy {
            path: self.path.to_owned(),
            holder: lock_holder::find(self.host, file),
            waited: self.begun.elapsed(),
        }
    }

    pub(super) fn failed(&self, source: io::Error) -> LockError {
        LockError::File(FileError {
            verb: "lock",
            path: self.path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    use crate::kernel::fake::Machine;

    /// Between two who have it, nobody may be seen: the second has not had it all the time.
    #[test]
    fn a_look_between_two_holders() {
        let machine = Machine::new().file("proc/locks", "").file("run/lock", "");
        let host = machine.host();
        let path = machine.path("run/lock");
        let file = File::open(&path).unwrap();
        let inode = file.metadata().unwrap().ino();
        let patience = Patience {
            with_one: Duration::from_secs(5),
            in_all: Duration::from_secs(60),
        };
        let mut wait = Wait::new(&host, &path, patience);
        let seen = |wait: &mut Wait<'_>, pid: Option<u32>| {
            let line =
                pid.map(|pid| format!("1: FLOCK  ADVISORY  WRITE {pid} 00:1a:{inode} 0 EOF\n"));
            std::fs::write(machine.path("proc/locks"), line.unwrap_or_default()).unwrap();
            wait.look(&file);
            wait.left().is_zero()
        };
        let long_ago = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        (wait.begun, wait.before) = (long_ago, (None, long_ago));
        assert!(
            seen(&mut wait, Some(1)),
            "the first has had it from the beginning"
        );
        assert!(!seen(&mut wait, None));
        assert!(!seen(&mut wait, Some(2)));
        assert!(!seen(&mut wait, Some(1)));
    }
}

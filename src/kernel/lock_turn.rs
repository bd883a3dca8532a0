//! `Turn`: the first place in line for a lock, which those who share it do not pass.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::lock::{Kind, LockError, is_at, open};
use super::lock_mark::Mark;
use super::lock_wait::Wait;

/// The first place in line, given up when the value is dropped.
///
/// The kernel lets everybody in who may share a lock with those who have it, also past one who has waited for long
/// (`flock_locks_conflict`, `fs/locks.c`). So whoever has to wait does so with a second file locked, which is there
/// only as long as somebody waits; and whoever would share stands behind him.
pub(super) struct Turn {
    file: File,
    path: PathBuf,
}

impl Turn {
    /// Waits for the first place; as long as `wanted`, which everybody is in line for, changes
    /// hands, patience is not at its end.
    pub(super) fn wait_for(
        path: &Path,
        wait: &mut Wait<'_>,
        wanted: &File,
    ) -> Result<Self, LockError> {
        loop {
            let mut file = open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    file = wait.until_locked(file, Kind::Alone, Some(wanted))?;
                }
                Err(TryLockError::Error(error)) => return Err(wait.failed(error)),
            }
            // Else the one before removed it between our two calls.
            if is_at(&file, path) {
                let path = path.to_owned();
                return Ok(Self { file, path });
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !Mark::is_set(&self.file) {
            // One that stays is removed by the next who stands in line.
            let _ = fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use crate::kernel::fake::Machine;
    use crate::kernel::lock::{Lifetime, Lock, LockError, Patience};

    const NODE: &str = "/run/x/lock";
    const TURN: &str = "/run/x/turn";

    #[test]
    fn who_shares_does_not_pass_who_waits() {
        let machine = Machine::new().file("proc/locks", "");
        let host = machine.host();
        let share = |millis| {
            let limit = Duration::from_millis(millis);
            Lock::share_in_turn(&host, NODE, TURN, limit)
        };
        let alone =
            |limit: Patience| Lock::acquire_in_turn(&host, NODE, TURN, limit, Lifetime::Kept);
        let long = Patience::from(Duration::from_secs(60));
        let (first, second) = (share(0).unwrap(), share(0).unwrap());
        assert!(!machine.path(&TURN[1..]).exists(), "nobody waits");
        thread::scope(|scope| {
            let waiter = scope.spawn(|| alone(long));
            let begun = Instant::now();
            // He has the turn a moment after its file is there, and until then others pass.
            while share(0).is_ok() {
                assert!(begun.elapsed() < Duration::from_secs(20));
                thread::sleep(Duration::from_millis(1));
            }
            drop(first);
            // He comes later, and has to stand behind.
            assert!(matches!(share(50), Err(LockError::Busy { .. })));
            let last = scope.spawn(|| share(60_000));
            drop(second);
            let lock = waiter.join().unwrap().unwrap();
            thread::sleep(Duration::from_millis(20));
            assert!(!last.is_finished());
            drop(lock);
            last.join().unwrap().unwrap();
        });
        assert!(!machine.path(&TURN[1..]).exists());
        // One that a killed waiter left is in nobody's way.
        std::fs::write(machine.path(&TURN[1..]), "").unwrap();
        drop(share(0).unwrap());
        assert!(!machine.path(&TURN[1..]).exists());
    }
}

//! `Mark`: tells whoever gives a lock back that somebody waits for it, so that its file stays.

use std::fs::File;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// Set as long as the value is there, or the process lives.
///
/// Were the file removed with others in line, each of them would be woken in turn to find that it
/// waited for nothing and has to come again: with a hundred, each time the lock changes hands.
///
/// A lock on a range says it, which `flock` knows nothing of, and the kernel forgets it with the
/// open file (`F_OFD_SETLK`, fcntl(2)).
pub(super) struct Mark<'a>(&'a File);

impl<'a> Mark<'a> {
    pub(super) fn set(file: &'a File) -> Self {
        // Unmarked, one waits as well, and comes again.
        let _ = fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_RDLCK)));
        Self(file)
    }

    /// Whether anybody else has marked the file.
    pub(super) fn is_set(file: &File) -> bool {
        let mut found = range(libc::F_WRLCK);
        let asked = fcntl(file, FcntlArg::F_OFD_GETLK(&mut found));
        asked.is_ok() && i32::from(found.l_type) != libc::F_UNLCK
    }
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        let _ = fcntl(self.0, FcntlArg::F_OFD_SETLK(&range(libc::F_UNLCK)));
    }
}

/// The whole file.
fn range(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        // Has to be 0 for locks of open files.
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::thread;
    use std::time::Duration;

    use crate::kernel::fake::Machine;
    use crate::kernel::lock::{Lifetime, Lock, LockError, open};

    const PATH: &str = "/run/x/lock";

    #[test]
    fn seen_by_others_as_long_as_it_is_there() {
        let machine = Machine::new();
        let path = machine.path(&PATH[1..]);
        let [ours, theirs] = [(); 2].map(|()| open(&path).unwrap());
        ours.lock().unwrap();
        assert!(!Mark::is_set(&ours));
        let mark = Mark::set(&theirs);
        let further = Mark::set(&ours);
        assert!(Mark::is_set(&ours));
        drop(mark);
        assert!(!Mark::is_set(&ours), "its own is none of another's");
        drop(further);
        assert!(!Mark::is_set(&theirs));
    }

    #[test]
    fn a_lock_that_is_waited_for_keeps_its_file() {
        let machine = Machine::new().file("proc/locks", "");
        let host = machine.host();
        let path = machine.path(&PATH[1..]);
        let take = |millis| {
            let limit = Duration::from_millis(millis);
            Lock::acquire(&host, PATH, limit, Lifetime::Removed)
        };
        let inode = || path.metadata().map(|metadata| metadata.ino()).ok();
        let held = take(0).unwrap();
        let first = inode();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| take(60_000).unwrap());
            let looks = open(&path).unwrap();
            while !Mark::is_set(&looks) {
                thread::sleep(Duration::from_millis(1));
            }
            drop(held);
            let next = waiter.join().unwrap();
            assert_eq!(inode(), first);
            assert!(!Mark::is_set(&looks), "nobody waits");
            // Nor does one who has given up.
            assert!(matches!(take(10), Err(LockError::Busy { .. })));
            assert!(!Mark::is_set(&looks));
            drop(next);
        });
        assert_eq!(inode(), None);
    }
}

//! `Scribe`: a child process that makes one write to sysfs after the other, until one is stuck.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use super::bounded::hold_signals_back;
use super::child::{Outcome, close_handed_down, leave, readable, reap, telling, told_by};
use super::sysfs::Sysfs;
use super::{Host, file};

/// Path and value of a write, with a zero between.
const ROOM: usize = 4096;

/// More than the line of a process in `/proc`.
const STAT: u64 = 4096;

/// An order to end: longer than nothing, which is what the end of the other process reads as.
const END: [u8; 1] = [b'.'];

/// The children of one tree that have nothing to do, and how often they are to be kept.
#[derive(Debug, Default)]
pub(super) struct Scribes {
    idle: Mutex<Vec<Scribe>>,
    keepers: AtomicUsize,
    /// The process that began with a write last.
    newest: AtomicI32,
}

/// Has children wait for the next write; the last of these values to go ends them.
#[derive(Debug)]
pub struct Kept<'a>(&'a Sysfs);

impl<'a> Kept<'a> {
    pub(super) fn new(sysfs: &'a Sysfs) -> Self {
        sysfs.scribes.keepers.fetch_add(1, Ordering::Relaxed);
        Self(sysfs)
    }

    /// Whether the write that was begun with last waits for something, rather than for a CPU or on one. What cannot be
    /// told waits.
    pub fn is_newest_waiting(&self, host: &Host) -> bool {
        let pid = self.0.scribes.newest.load(Ordering::Relaxed);
        let stat = file::read(&host.path(&format!("/proc/{pid}/stat")), STAT);
        let stat = stat.ok().flatten().unwrap_or_default();
        // The name in parentheses may hold anything (proc_pid_stat(5)).
        let text = String::from_utf8_lossy(&stat);
        let state = text.rsplit_once(") ").map(|(_, rest)| rest);
        state.is_none_or(|state| !state.starts_with('R'))
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        let scribes = &self.0.scribes;
        if scribes.keepers.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        let Ok(mut idle) = scribes.idle.lock() else {
            return;
        };
        // All are told before the first is waited for.
        for scribe in &mut *idle {
            scribe.end();
        }
        idle.clear();
    }
}

/// Makes a write in a child that is kept; `None` where none are, or the write is too long for them.
pub(super) fn write(
    sysfs: &Sysfs,
    path: &Path,
    value: &str,
    limit: Duration,
) -> Option<io::Result<Outcome>> {
    let order = [path.as_os_str().as_bytes(), &[0], value.as_bytes()].concat();
    if sysfs.scribes.keepers.load(Ordering::Relaxed) == 0 || order.len() > ROOM {
        return None;
    }
    let idle = sysfs.scribes.idle.lock().ok()?.pop();
    let mut scribe = match idle.map_or_else(|| Scribe::begin(sysfs), Ok) {
        Ok(scribe) => scribe,
        Err(error) => return Some(Err(error)),
    };
    let newest = &sysfs.scribes.newest;
    newest.store(scribe.child.as_raw(), Ordering::Relaxed);
    let outcome = scribe.write(&order, limit);
    if let Ok(Outcome::Done(_)) = outcome
        && let Ok(mut idle) = sysfs.scribes.idle.lock()
    {
        idle.push(scribe);
    }
    Some(outcome)
}

/// How many children wait for a write.
#[cfg(test)]
pub(super) fn idle(sysfs: &Sysfs) -> usize {
    sysfs.scribes.idle.lock().unwrap().len()
}

/// What holds of a child of [`super::child::within`] holds of this one: it has the calling thread alone and a copy
/// of the memory, is left alone when it is stuck, and keeps nobody waiting. When the caller ends it ends too, behind the
/// write that it is at.
#[derive(Debug)]
struct Scribe {
    child: Pid,
    line: OwnedFd,
    is_left: bool,
}

impl Scribe {
    fn begin(sysfs: &Sysfs) -> io::Result<Self> {
        // Opened here, it is open in all of them.
        sysfs.opened_root()?;
        let (kind, flags) = (SockType::SeqPacket, SockFlag::SOCK_CLOEXEC);
        let (line, theirs) = socketpair(AddressFamily::Unix, kind, None, flags)?;
        #[expect(
            unsafe_code,
            reason = "a child is the only thing that can be left behind"
        )]
        // SAFETY: as in `child::within`: what the child does are system calls, and allocations, which
        // glibc and musl keep in order across a fork. It takes no lock: the root of sysfs is open.
        let forked = unsafe { fork() }?;
        match forked {
            ForkResult::Parent { child } => Ok(Self {
                child,
                line,
                is_left: false,
            }),
            ForkResult::Child => {
                // The other end would keep it from hearing that the caller has ended.
                drop(line);
                close_handed_down();
                hold_signals_back();
                let _ = catch_unwind(AssertUnwindSafe(|| serve(sysfs, &theirs)));
                leave();
            }
        }
    }

    fn write(&mut self, order: &[u8], limit: Duration) -> io::Result<Outcome> {
        send(self.line.as_raw_fd(), order, MsgFlags::MSG_NOSIGNAL)?;
        if !readable(&self.line, limit)?
            && waitpid(self.child, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive)
        {
            self.is_left = true;
            return Ok(Outcome::Stuck {
                pid: self.child.as_raw().unsigned_abs(),
            });
        }
        let mut told = [0; size_of::<i32>()];
        // Its end is heard here, unless a child that was forked at the same moment has a copy of its
        // end of the line: then it has been found dead, and has said all that it had to say.
        match recv(self.line.as_raw_fd(), &mut told, MsgFlags::MSG_DONTWAIT) {
            Ok(length) if length == told.len() => Ok(Outcome::Done(told_by(told))),
            _ => Err(io::Error::other("the child process ended without a result")),
        }
    }

    fn end(&mut self) {
        let _ = send(self.line.as_raw_fd(), &END, MsgFlags::MSG_NOSIGNAL);
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        if !self.is_left {
            // Others may have a copy of our end of the line, so that closing it tells nothing.
            self.end();
            reap(self.child);
        }
    }
}

/// The life of the child.
fn serve(sysfs: &Sysfs, line: &OwnedFd) {
    let mut order = [0; ROOM];
    loop {
        let length = match recv(line.as_raw_fd(), &mut order, MsgFlags::empty()) {
            Err(Errno::EINTR) => continue,
            Ok(length) if length > END.len() => length,
            _ => return,
        };
        let mut parts = order[..length].splitn(2, |byte| *byte == 0);
        let (path, value) = (parts.next(), parts.next());
        let value = value.and_then(|value| std::str::from_utf8(value).ok());
        let outcome = match path.zip(value) {
            Some((path, value)) => sysfs
                .write(OsStr::from_bytes(path), value)
                .map_err(|error| error.errno),
            None => Err(Errno::EINVAL),
        };
        let told = telling(outcome);
        if send(line.as_raw_fd(), &told, MsgFlags::MSG_NOSIGNAL).is_err() {
            return;
        }
    }
}

//! A call into the kernel that may never come back, made in a child process with a deadline.
//!
//! Some writes to sysfs and some netlink requests wait inside the kernel, where not even SIGKILL
//! reaches, for something that another process has to do. A thread that waits so keeps its
//! process from ending; a child does not.

use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe2, read, write};

/// What became of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It came back with this.
    Done(Result<(), Errno>),
    /// It has not come back yet; whether it does something in the end is open.
    Stuck {
        /// The process that waits in it.
        pid: u32,
    },
}

/// What is written for an errno that nix has no name for: its number is 0 there, which is success.
const UNNAMED: i32 = -1;

/// Descriptors at least as high as this are none that a parent process handed down.
const HANDED_DOWN: i32 = 256;

/// Runs `act` in a child process and waits for it, `deadline` at most.
///
/// A child that is stuck is left alone: it goes on when the kernel lets it, and ends then. It
/// keeps nobody waiting meanwhile: the caller may exit, and the descriptors that the caller's own
/// parent handed down (standard streams, the lock file of a shell script) are closed in it, so
/// that who reads our output to its end gets there. When the caller ends, the child is the
/// init process's. A service manager that follows control groups still sees it as part of the
/// service.
///
/// What `act` may do is little, for the child has the calling thread alone and a copy of the
/// memory:
/// * system calls on what was prepared before; no lock that another thread may hold, no output,
///   no panic;
/// * nothing it changes in memory is seen by the caller;
/// * it borrows what undoes itself when dropped (such as a lock on a file), or the child undoes
///   it.
///
/// A fork and what belongs to it take some 0.2 ms for a small process.
///
/// # Errors
/// There is no child (`EAGAIN`, `ENOMEM`), no pipe (`EMFILE`), or the child was killed or
/// panicked before it could say what came of it.
pub fn within(deadline: Duration, act: impl FnOnce() -> Result<(), Errno>) -> io::Result<Outcome> {
    let (told, tell) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let begun = Instant::now();
    #[expect(
        unsafe_code,
        reason = "a child is the only thing that can be left behind"
    )]
    // SAFETY: a child of a process with threads may do only what needs no lock of the others:
    // `closed_behind`, `write` and `_exit` are bare system calls, and `act` is bound to that above. An
    // `act` that allocates all the same finds the allocator in order, for glibc and musl see to
    // that; one that waits for a lock of Rust's waits, and is reported as stuck.
    let forked = unsafe { fork() }?;
    let child = match forked {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            close_handed_down();
            if let Ok(outcome) = catch_unwind(AssertUnwindSafe(act)) {
                let _ = write(&tell, &telling(outcome));
            }
            leave();
        }
    };
    drop(tell);
    let in_time = readable(&told, deadline.saturating_sub(begun.elapsed()))?;
    if !in_time && waitpid(child, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive) {
        return Ok(Outcome::Stuck {
            pid: child.as_raw().unsigned_abs(),
        });
    }
    let mut number = [0; size_of::<i32>()];
    // Its end closes the pipe, unless another child has a copy of it: then this is not reached
    // before the child has ended, and there is nothing to wait for.
    let length = if in_time || readable(&told, Duration::ZERO)? {
        read(&told, &mut number)?
    } else {
        0
    };
    reap(child);
    if length < number.len() {
        return Err(io::Error::other("the child process ended without a result"));
    }
    Ok(Outcome::Done(told_by(number)))
}

/// An outcome as a child tells it.
pub(super) fn telling(outcome: Result<(), Errno>) -> [u8; size_of::<i32>()] {
    let number = match outcome.map_err(|errno| errno as i32) {
        Ok(()) => 0,
        Err(0) => UNNAMED,
        Err(number) => number,
    };
    number.to_ne_bytes()
}

/// The outcome that a child told.
pub(super) fn told_by(bytes: [u8; size_of::<i32>()]) -> Result<(), Errno> {
    match i32::from_ne_bytes(bytes) {
        0 => Ok(()),
        UNNAMED => Err(Errno::UnknownErrno),
        number => Err(Errno::from_raw(number)),
    }
}

/// Closes what is not marked close-on-exec: everything we open is.
pub(super) fn close_handed_down() {
    let mut all = [const { pollfd(0) }; HANDED_DOWN as usize];
    for (fd, each) in (0..).zip(&mut all) {
        *each = pollfd(fd);
    }
    #[expect(
        unsafe_code,
        reason = "nix polls descriptors that are known to be open"
    )]
    // SAFETY: the call is given an array and its length, and does not wait.
    let polled = unsafe { libc::poll(all.as_mut_ptr(), all.len() as libc::nfds_t, 0) };
    // Of 256 numbers a handful is open, and one call tells which (POLLNVAL). It refuses where a limit on open files
    // is lower (EINVAL): each is looked at then.
    let is_open = |each: &&libc::pollfd| polled < 0 || each.revents & libc::POLLNVAL == 0;
    for fd in all.iter().filter(is_open).map(|each| each.fd) {
        #[expect(
            unsafe_code,
            reason = "the descriptors are known by their numbers only"
        )]
        // SAFETY: the calls take numbers and touch no memory. What owns a descriptor that is
        // closed here never runs again: the child goes on to `leave` without a destructor.
        unsafe {
            let flags = libc::fcntl(fd, libc::F_GETFD);
            if flags >= 0 && flags & libc::FD_CLOEXEC == 0 {
                libc::close(fd);
            }
        }
    }
}

/// A question about nothing but whether a descriptor is open.
const fn pollfd(fd: i32) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    }
}

/// Ends the child at once: exit handlers and buffered output are the caller's.
pub(super) fn leave() -> ! {
    #[expect(unsafe_code, reason = "std and nix have no wrapper for _exit")]
    // SAFETY: it ends the process, which owns nothing that needs an end of its own.
    unsafe {
        libc::_exit(0)
    }
}

/// Whether something can be read, or never will be, before the time is over.
pub(super) fn readable(source: &impl AsFd, limit: Duration) -> io::Result<bool> {
    let begun = Instant::now();
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        // Rounded up: 0 would not wait at all.
        let millis = left.as_nanos().div_ceil(1_000_000);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let mut wanted = [PollFd::new(source.as_fd(), PollFlags::POLLIN)];
        match poll(&mut wanted, timeout) {
            Ok(0) if begun.elapsed() >= limit => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Takes note of the child's end, which is near; ECHILD where SIGCHLD is ignored.
pub(super) fn reap(child: Pid) {
    while waitpid(child, None) == Err(Errno::EINTR) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::thread::sleep;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(50);

    fn sleeps() -> Result<(), Errno> {
        sleep(LONG);
        Ok(())
    }

    fn end(pid: u32) {
        let child = Pid::from_raw(pid.try_into().unwrap());
        nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL).unwrap();
        reap(child);
    }

    #[test]
    fn what_came_of_it() {
        for outcome in [
            Ok(()),
            Err(Errno::EBUSY),
            Err(Errno::EHWPOISON),
            Err(Errno::UnknownErrno),
        ] {
            assert_eq!(within(LONG, || outcome).unwrap(), Outcome::Done(outcome));
        }
    }

    #[test]
    fn what_it_does_outside_stays_and_in_memory_does_not() {
        let (theirs, ours) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        let mut seen = 1;
        let outcome = within(LONG, || {
            seen += 1;
            write(&ours, b"x").map(drop)
        });
        assert_eq!(outcome.unwrap(), Outcome::Done(Ok(())));
        let mut text = [0; 4];
        assert_eq!((read(&theirs, &mut text).unwrap(), text[0]), (1, b'x'));
        assert_eq!(seen, 1);
    }

    #[test]
    fn the_deadline_is_kept() {
        let begun = Instant::now();
        let Outcome::Stuck { pid } = within(SHORT, sleeps).unwrap() else {
            panic!("it slept a minute");
        };
        let took = begun.elapsed();
        end(pid);
        assert!(took >= SHORT && took < LONG / 2, "{took:?}");
    }

    #[test]
    fn no_time_at_all() {
        match within(Duration::ZERO, sleeps).unwrap() {
            Outcome::Stuck { pid } => end(pid),
            Outcome::Done(outcome) => panic!("{outcome:?}"),
        }
        let outcome = within(Duration::MAX, || Ok(())).unwrap();
        assert_eq!(outcome, Outcome::Done(Ok(())));
    }

    /// Who reads the output of the caller is not kept waiting by the child.
    #[test]
    fn what_was_handed_down_is_closed() {
        let (theirs, ours) = pipe2(nix::fcntl::OFlag::empty()).unwrap();
        let Outcome::Stuck { pid } = within(SHORT, sleeps).unwrap() else {
            panic!("it slept a minute");
        };
        drop(ours);
        let mut text = String::new();
        let length = std::fs::File::from(theirs).read_to_string(&mut text);
        end(pid);
        assert_eq!(length.unwrap(), 0);
    }

    #[test]
    fn a_child_that_says_nothing() {
        let killed = within(LONG, || {
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
            Ok(())
        });
        assert!(killed.unwrap_err().to_string().contains("without a result"));
        // What it would print may need a lock that it cannot have; it never goes on as the caller.
        match within(Duration::from_secs(2), || panic!("in the child")) {
            Ok(Outcome::Stuck { pid }) => end(pid),
            outcome => assert!(outcome.is_err(), "{outcome:?}"),
        }
    }

    /// The children of several threads: each hears of its own.
    #[test]
    fn many_at_once() {
        std::thread::scope(|scope| {
            for number in 0..8 {
                scope.spawn(move || {
                    for _ in 0..20 {
                        let wanted = if number % 2 == 0 {
                            Ok(())
                        } else {
                            Err(Errno::EIO)
                        };
                        assert_eq!(within(LONG, || wanted).unwrap(), Outcome::Done(wanted));
                    }
                });
            }
        });
    }
}

//! Writes to sysfs that may never come back: each is made in a child process, with a deadline.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;

use super::child::{Outcome, within};
use super::scribe;
use super::sysfs::{Sysfs, SysfsError};

pub use super::scribe::Kept;

/// Why a write did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum BoundedError {
    /// The kernel refused it.
    #[error(transparent)]
    Refused(SysfsError),
    /// It has not come back. What it was to do may still be done.
    #[error("writing {value} to {} has not come back after {} s; process {pid} waits in the kernel",
        .path.display(), .limit.as_secs_f32())]
    Stuck {
        /// The file.
        path: PathBuf,
        /// What was written.
        value: String,
        /// The process that waits in it, and ends when it comes back.
        pid: u32,
        /// How long it was waited for.
        limit: Duration,
    },
    /// There is no child process to make it.
    #[error("cannot start a process to write to {}: {source}", .path.display())]
    NoChild {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl BoundedError {
    /// The errno of a refusal.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused(error) => Some(error.errno),
            Self::Stuck { .. } | Self::NoChild { .. } => None,
        }
    }
}

/// Has the children of writes wait for the next one while the result lives, for those who have many
/// to make: a fork costs more than most writes.
pub fn keep(sysfs: &Sysfs) -> Kept<'_> {
    Kept::new(sysfs)
}

/// Writes an attribute, as [`Sysfs::write`] does, and waits `limit` at most.
///
/// # Errors
/// [`BoundedError`].
pub fn write(
    sysfs: &Sysfs,
    path: impl AsRef<Path>,
    value: &str,
    limit: Duration,
) -> Result<(), BoundedError> {
    let path = path.as_ref();
    match scribe::write(sysfs, path, value, limit) {
        Some(outcome) => judged(sysfs, path, value, limit, outcome),
        None => write_then(sysfs, path, value, limit, || {}),
    }
}

/// As [`write`]; the child goes on with `afterwards` whatever came of the write, and whatever
/// became of the caller meanwhile: signals that end a process are held back in it.
///
/// # Errors
/// [`BoundedError`].
pub fn write_then(
    sysfs: &Sysfs,
    path: impl AsRef<Path>,
    value: &str,
    limit: Duration,
    afterwards: impl FnOnce(),
) -> Result<(), BoundedError> {
    let path = path.as_ref();
    let outcome = within(limit, || {
        hold_signals_back();
        let written = sysfs.write(path, value);
        afterwards();
        written.map_err(|error| error.errno)
    });
    judged(sysfs, path, value, limit, outcome)
}

fn judged(
    sysfs: &Sysfs,
    path: &Path,
    value: &str,
    limit: Duration,
    outcome: io::Result<Outcome>,
) -> Result<(), BoundedError> {
    let path = || sysfs.place(path);
    match outcome {
        Ok(Outcome::Done(Ok(()))) => Ok(()),
        Ok(Outcome::Done(Err(errno))) => Err(BoundedError::Refused(SysfsError {
            verb: "write",
            path: path(),
            errno,
        })),
        Ok(Outcome::Stuck { pid }) => Err(BoundedError::Stuck {
            path: path(),
            value: value.to_owned(),
            pid,
            limit,
        }),
        Err(source) => Err(BoundedError::NoChild {
            path: path(),
            source,
        }),
    }
}

/// Ctrl-C goes to the child too, which is in the middle of a change.
pub(super) fn hold_signals_back() {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
    let set: SigSet = [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ]
    .into_iter()
    .collect();
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn written_refused_or_stuck() {
        let machine = Machine::new().file("sys/a", "0");
        let host = machine.host();
        let second = Duration::from_secs(5);
        write(host.sysfs(), "a", "7", second).unwrap();
        assert_eq!(machine.read("sys/a"), "7");
        let error = write(host.sysfs(), "b", "7", second).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ENOENT));
        assert!(error.to_string().contains("/sys/b"), "{error}");
        let begun = std::time::Instant::now();
        let limit = Duration::from_millis(100);
        // A pipe without a reader is an open() that waits.
        nix::unistd::mkfifo(&machine.path("sys/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let error = write(host.sysfs(), "pipe", "7", limit).unwrap_err();
        let BoundedError::Stuck { pid, .. } = error else {
            panic!("{error}");
        };
        assert!(begun.elapsed() >= limit);
        let pid = nix::unistd::Pid::from_raw(pid as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
    }

    /// A child that waits for the next write is one for all of them, and one that is stuck is no loss.
    #[test]
    fn children_that_are_kept() {
        let machine = Machine::new().file("sys/a", "0").file("sys/b", "0");
        let host = machine.host();
        let sysfs = host.sysfs();
        let second = Duration::from_secs(5);
        nix::unistd::mkfifo(&machine.path("sys/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let kept = keep(sysfs);
        for value in ["7", "8"] {
            write(sysfs, "a", value, second).unwrap();
            assert_eq!(machine.read("sys/a"), value);
            let error = write(sysfs, "none", value, second).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::ENOENT));
        }
        assert_eq!(scribe::idle(sysfs), 1);
        let error = write(sysfs, "pipe", "7", Duration::from_millis(50)).unwrap_err();
        let BoundedError::Stuck { pid, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(scribe::idle(sysfs), 0);
        // Several at once have one each, and hear of their own writes.
        std::thread::scope(|scope| {
            for file in ["a", "b", "none", "nowhere"] {
                scope.spawn(move || {
                    for _ in 0..20 {
                        let outcome = write(sysfs, file, "9", second);
                        assert_eq!(outcome.is_ok(), file.len() == 1, "{outcome:?}");
                    }
                });
            }
        });
        assert!((1..=4).contains(&scribe::idle(sysfs)));
        drop(kept);
        assert_eq!(scribe::idle(sysfs), 0);
        write(sysfs, "b", "6", second).unwrap();
        assert_eq!(
            (machine.read("sys/b").as_str(), scribe::idle(sysfs)),
            ("6", 0)
        );
        let pid = nix::unistd::Pid::from_raw(pid as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
    }

    #[test]
    fn the_child_goes_on_after_a_refusal() {
        let machine = Machine::new().file("sys/after", "0");
        let host = machine.host();
        let sysfs = host.sysfs();
        let outcome = write_then(sysfs, "no", "7", Duration::from_secs(5), || {
            let _ = sysfs.write("after", "1");
        });
        assert!(outcome.is_err());
        assert_eq!(machine.read("sys/after"), "1");
    }
}

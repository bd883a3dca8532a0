//! `StopSignal`: being told to stop, and sleeping until then.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};

/// The signals that ask a process to stop, held back since this value was made.
///
/// The first process of a container has no default action for them: the kernel drops those that
/// are neither caught nor held back (`sig_task_ignored`, kernel/signal.c).
#[derive(Debug)]
pub struct StopSignal {
    wanted: SigSet,
    before: SigSet,
}

impl StopSignal {
    /// Holds SIGTERM, SIGINT and SIGHUP back in the calling thread; programs that it starts have
    /// them as usual.
    ///
    /// # Errors
    /// None that the kernel knows for these signals.
    pub fn hold() -> Result<Self, Errno> {
        let wanted: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]
            .into_iter()
            .collect();
        let before = SigSet::thread_get_mask()?;
        wanted.thread_block()?;
        Ok(Self { wanted, before })
    }

    /// Sleeps until one of them comes, at once when one has come meanwhile; which it was.
    ///
    /// # Errors
    /// As [`Self::hold`].
    pub fn wait(&self) -> Result<Signal, Errno> {
        loop {
            match self.wanted.wait() {
                Err(Errno::EINTR) => {}
                other => return other,
            }
        }
    }
}

impl Drop for StopSignal {
    fn drop(&mut self) {
        // What could be said of a failure, nobody could act upon.
        let _ = self.before.thread_set_mask();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::raise;

    #[test]
    fn one_that_came_early_is_not_lost() {
        // In a thread of its own: the mask is the thread's.
        let came = std::thread::spawn(|| {
            let stop = StopSignal::hold().unwrap();
            raise(Signal::SIGTERM).unwrap();
            let came = stop.wait().unwrap();
            drop(stop);
            assert!(!SigSet::thread_get_mask().unwrap().contains(Signal::SIGTERM));
            came
        });
        assert_eq!(came.join().unwrap(), Signal::SIGTERM);
    }
}

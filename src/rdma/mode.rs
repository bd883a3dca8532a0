//! Changing the namespace mode, with patience for namespaces that are on their way out.

use std::thread;
use std::time::{Duration, Instant};

use super::diagnosis::Diagnosis;
use super::error::RdmaError;
use super::system;
use crate::kernel::namespaces::{self, Depth, Survey};
use crate::kernel::{Conn, Host, Namespace};
use crate::types::NetnsMode;

/// The kernel takes a namespace apart after its end, one batch after the other: 1 to 3 s.
pub const USUAL_PATIENCE: Duration = Duration::from_secs(5);

/// A process that was told to end just now is still there for a moment.
const SETTLE: Duration = Duration::from_millis(250);

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// What to wait for while other namespaces block the change, and how long at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// For those that nothing visible keeps alive; one that something does is an error at once.
    Dying(Duration),
    /// For all of them.
    All(Duration),
}

/// Why the mode is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ModeError {
    /// Other namespaces exist.
    #[error("{error}")]
    Blocked {
        /// The last answer, [`RdmaError::NamespacesExist`].
        error: RdmaError,
        /// Every namespace but the initial one; none when they are dying or cannot be found.
        blockers: Vec<Namespace>,
        /// Processes that the caller may not look at.
        hidden: usize,
    },
    /// Any other failure.
    #[error(transparent)]
    Rdma(#[from] RdmaError),
}

impl ModeError {
    /// The error of the subsystem, and what is known about it already.
    pub fn into_parts(self) -> (RdmaError, Option<Diagnosis>) {
        match self {
            Self::Blocked {
                error,
                blockers,
                hidden,
            } => {
                let diagnosis = Diagnosis::NamespacesExist { blockers, hidden };
                (error, Some(diagnosis))
            }
            Self::Rdma(error) => (error, None),
        }
    }
}

/// Makes `mode` the mode of the subsystem; the kernel takes the one it has at once and always.
///
/// # Errors
/// [`ModeError::Blocked`] when the wait is over, and those of [`system::set_netns_mode`].
pub fn change(host: &Host, conn: &mut Conn, mode: NetnsMode, wait: Wait) -> Result<(), ModeError> {
    let limit = match wait {
        Wait::Dying(limit) | Wait::All(limit) => limit,
    };
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match system::set_netns_mode(conn, mode) {
            Ok(()) => return Ok(()),
            Err(error @ RdmaError::NamespacesExist { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        let waited = begun.elapsed();
        let hopeless = matches!(wait, Wait::Dying(_)) && waited >= SETTLE && any_lives(host);
        if hopeless || waited >= limit {
            return Err(blocked(host, error));
        }
        thread::sleep(pause.min(limit - waited));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn blocked(host: &Host, error: RdmaError) -> ModeError {
    let Survey { namespaces, hidden } = namespaces::others(host).unwrap_or_default();
    ModeError::Blocked {
        error,
        blockers: namespaces,
        hidden,
    }
}

fn any_lives(host: &Host) -> bool {
    let found = namespaces::survey(host, Depth::Processes);
    found.is_ok_and(|survey| !survey.others().namespaces.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Kernel, Machine};
    use crate::wire::nldev::attr_ids::RDMA_NLDEV_SYS_ATTR_NETNS_MODE;
    use crate::wire::nldev::{message_type, op};
    use crate::wire::{Attrs, Request};
    use nix::errno::Errno;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

    /// A kernel in shared mode that answers EBUSY `busy` times.
    fn kernel(busy: u32) -> Kernel {
        let (mode, busy) = (AtomicU8::new(1), AtomicU32::new(busy));
        const GET: u16 = message_type(op::SYS_GET);
        const SET: u16 = message_type(op::SYS_SET);
        Arc::new(move |kind, body| match kind {
            GET => {
                let now = mode.load(Ordering::SeqCst);
                let answer = Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, now);
                Answer::Data(vec![answer.body().to_vec()])
            }
            SET if busy.load(Ordering::SeqCst) > 0 => {
                busy.fetch_sub(1, Ordering::SeqCst);
                Answer::Refused(Errno::EBUSY, None)
            }
            SET => {
                let wanted = Attrs::new(body).find(RDMA_NLDEV_SYS_ATTR_NETNS_MODE);
                mode.store(wanted.unwrap().u8().unwrap(), Ordering::SeqCst);
                Answer::Done
            }
            _ => Answer::Refused(Errno::EINVAL, None),
        })
    }

    fn machine() -> Machine {
        Machine::new()
            .link("proc/self/ns/pid", "pid:[4026531836]")
            .process(1, "net:[100]", "systemd", "0::/init.scope")
    }

    fn attempt(machine: &Machine, busy: u32, wait: Wait) -> (Result<(), ModeError>, Duration) {
        let host = machine.host_with(kernel(busy));
        let mut conn = host.rdma().unwrap();
        let begun = Instant::now();
        let outcome = change(&host, &mut conn, NetnsMode::Exclusive, wait);
        (outcome, begun.elapsed())
    }

    #[test]
    fn set_once_and_then_already_so() {
        let machine = machine();
        let host = machine.host_with(kernel(0));
        let mut conn = host.rdma().unwrap();
        let wait = Wait::Dying(USUAL_PATIENCE);
        let mut set = |mode| change(&host, &mut conn, mode, wait).unwrap();
        set(NetnsMode::Shared);
        set(NetnsMode::Exclusive);
        set(NetnsMode::Exclusive);
        assert_eq!(
            system::get(&mut conn).unwrap().netns_mode(),
            Some(NetnsMode::Exclusive)
        );
    }

    #[test]
    fn dying_namespaces_are_waited_for() {
        let (outcome, took) = attempt(&machine(), 3, Wait::Dying(USUAL_PATIENCE));
        outcome.unwrap();
        assert!(took >= Duration::from_millis(140), "{took:?}");
    }

    #[test]
    fn a_living_one_is_an_error_at_once() {
        let machine = machine().process(9, "net:[200]", "sleep", "0::/");
        let (outcome, took) = attempt(&machine, 1000, Wait::Dying(USUAL_PATIENCE));
        let Err(ModeError::Blocked { blockers, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!((blockers.len(), blockers[0].processes[0].pid), (1, 9));
        assert!(took < Duration::from_secs(2), "{took:?}");
    }

    #[test]
    fn unless_it_may_take_its_time() {
        let machine = machine().process(9, "net:[200]", "sleep", "0::/");
        let (outcome, _) = attempt(&machine, 5, Wait::All(USUAL_PATIENCE));
        outcome.unwrap();
    }

    #[test]
    fn when_patience_ends_open_files_are_looked_at() {
        let machine = machine().link("proc/1/fd/7", "net:[300]");
        let (outcome, _) = attempt(&machine, 1000, Wait::Dying(Duration::ZERO));
        let Err(ModeError::Blocked { blockers, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(blockers[0].holders[0].process.pid, 1);
    }
}

//! Many changes over one socket, made by a child process with a deadline.

use std::time::Duration;

use netlink_packet_core::NLMSG_ERROR;

use super::{Conn, NetlinkError};
use crate::kernel::child::Outcome;
use crate::kernel::messages::{Message, verdict};
use crate::wire::Request;

/// How many changes a child makes before their answers are read: an acknowledgement takes less than 1 KiB of the
/// socket's buffer, which has 208 KiB.
const AT_ONCE: usize = 64;

/// What came of each change, in their order.
type Verdicts = Vec<Result<(), NetlinkError>>;

impl Conn {
    /// Makes many changes one after the other, as [`Self::change_within`] makes one, and says what came of each: a
    /// child process makes 64 of them, and has `limit` for these. Where the kernel has not finished with one in time,
    /// the outcomes end with [`NetlinkError::Stuck`] for it, and those behind it are not begun.
    ///
    /// # Errors
    /// As [`Self::change`] when the kernel cannot be asked; what it refuses is in the outcomes.
    pub fn change_all_within(
        &mut self,
        changes: &[Request],
        limit: Duration,
    ) -> Result<Verdicts, NetlinkError> {
        let mut all = Vec::with_capacity(changes.len());
        for changes in changes.chunks(AT_ONCE) {
            let first = self.sequence.wrapping_add(1);
            let numbered = (first..).zip(changes);
            let datagrams: Vec<Vec<u8>> = numbered
                .map(|(sequence, change)| change.datagram(sequence))
                .collect();
            self.sequence = (1..datagrams.len()).fold(first, |last, _| last.wrapping_add(1));
            match self.datagrams.send_all_within(&datagrams, limit) {
                Ok(Outcome::Done(Ok(()))) => {
                    let found = self.answers(first, changes.len(), false, outcome)?;
                    all.extend(found);
                }
                Ok(Outcome::Done(Err(errno))) => return Err(NetlinkError::Transport(errno.into())),
                Ok(Outcome::Stuck { pid }) => {
                    let found = self.answers(first, changes.len(), true, outcome)?;
                    all.extend(found);
                    all.push(Err(NetlinkError::Stuck { pid }));
                    return Ok(all);
                }
                Err(error) => return Err(NetlinkError::Transport(error)),
            }
        }
        Ok(all)
    }
}

fn outcome(message: &Message<'_>) -> Option<Result<(), NetlinkError>> {
    (message.kind == NLMSG_ERROR).then(|| verdict(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Kernel, Machine};
    use nix::errno::Errno;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// What came of `count` changes, and how many of them the kernel has seen.
    fn changed(
        count: usize,
        answer: impl Fn(usize) -> Answer + Send + Sync + 'static,
    ) -> (Result<Verdicts, NetlinkError>, usize) {
        let seen = Arc::new(AtomicUsize::new(0));
        let own = seen.clone();
        let kernel: Kernel = Arc::new(move |_, _| answer(own.fetch_add(1, Ordering::Relaxed)));
        let machine = Machine::new();
        let mut conn = machine.host_with(kernel).route().unwrap();
        let changes: Vec<Request> = (0..count)
            .map(|_| Request::new(19).fixed(&[0; 16]))
            .collect();
        let outcome = conn.change_all_within(&changes, Duration::from_secs(1));
        (outcome, seen.load(Ordering::Relaxed))
    }

    #[test]
    fn each_has_its_own_answer() {
        let (outcome, _) = changed(150, |at| match at {
            3 | 149 => Answer::Refused(Errno::EBUSY, Some("later")),
            _ => Answer::Done,
        });
        let outcome = outcome.unwrap();
        assert_eq!(outcome.len(), 150);
        for (at, verdict) in outcome.iter().enumerate() {
            let expected = matches!(at, 3 | 149).then_some(Errno::EBUSY);
            let errno = verdict.as_ref().err().and_then(NetlinkError::errno);
            assert_eq!(errno, expected, "{at}");
        }
        assert!(changed(0, |_| Answer::Done).0.unwrap().is_empty());
    }

    /// It is known which one hangs, and none is begun behind it.
    #[test]
    fn the_one_that_hangs_is_the_last() {
        for hangs in [0, 5, 64, 100] {
            let (outcome, seen) = changed(150, move |at| match at == hangs {
                true => Answer::Stuck(77),
                false => Answer::Done,
            });
            let outcome = outcome.unwrap();
            assert_eq!((outcome.len(), seen), (hangs + 1, hangs + 1));
            let last = outcome.last().unwrap();
            assert!(
                matches!(last, Err(NetlinkError::Stuck { pid: 77 })),
                "{last:?}"
            );
            assert!(outcome[..hangs].iter().all(Result::is_ok));
        }
    }
}

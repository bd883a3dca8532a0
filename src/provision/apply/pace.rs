//! `Pace`: when the next driver may start, so that few overtake one another.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// A driver that is done by then has not waited for firmware, which takes it twice as long at least. Several of those at
/// once are in each other's way, and get the numbers of their RDMA devices and interfaces by chance; one after the other
/// they get them in order.
const QUICK: Duration = Duration::from_millis(25);

/// Drivers that wait overtake one another less with this much between them, which leaves as many at work at once as
/// make a PF answer faster: those that wait for firmware do for 50 ms at least.
const GAP: Duration = Duration::from_millis(3);

/// One that computes for so long keeps nobody else from starting.
const LONG: Duration = Duration::from_secs(1);

/// Hands out what is to be done, in order.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Whoever is next waits alone.
    turn: Mutex<()>,
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: usize,
    at_work: usize,
    last: Option<Instant>,
    /// They wait for something, so that several at once are faster.
    wait: bool,
}

impl Pace {
    /// The next of `all`, what it was made ready as, and when it was begun with: at once when nothing is at work, else
    /// when the last one has been found to wait. It is made ready while those before it are at work.
    pub(super) fn next<T>(
        &self,
        all: usize,
        ready: impl FnOnce(usize) -> T,
        is_waiting: impl Fn() -> bool,
    ) -> Option<(usize, T, Instant)> {
        let _turn = self.turn.lock().ok()?;
        // Nobody else counts on while the turn is ours.
        let at = self.state.lock().ok()?.next;
        if at >= all {
            return None;
        }
        let ready = ready(at);
        let mut state = self.state.lock().ok()?;
        loop {
            let gap = if state.wait { GAP } else { QUICK };
            let begun = state.last.filter(|_| state.at_work > 0);
            let left = begun.and_then(|begun| gap.checked_sub(begun.elapsed()));
            let left = left.filter(|left| !left.is_zero());
            let is_long = begun.is_some_and(|begun| begun.elapsed() >= LONG);
            if begun.is_none() || left.is_none() && (state.wait || is_long || is_waiting()) {
                state.wait |= begun.is_some();
                let now = Instant::now();
                state.last = Some(now);
                state.at_work += 1;
                state.next += 1;
                return Some((at, ready, now));
            }
            (state, _) = self.over.wait_timeout(state, left.unwrap_or(GAP)).ok()?;
        }
    }

    /// One that was begun with then is done with.
    pub(super) fn over(&self, begun: Instant) {
        if let Ok(mut state) = self.state.lock() {
            state.wait &= begun.elapsed() >= QUICK;
            state.at_work -= 1;
            if state.at_work == 0 {
                self.over.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread;

    /// Four at `work` on twelve; how many there were at once, at most.
    fn at_once(work: impl Fn() + Sync, is_waiting: bool) -> usize {
        let pace = Pace::default();
        let (begun, now) = (Mutex::new(Vec::new()), Mutex::new((0, 0)));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some((at, ready, since)) = pace.next(12, |at| at, || is_waiting) {
                        assert_eq!(at, ready);
                        begun.lock().unwrap().push((since, at));
                        let mut count = now.lock().unwrap();
                        *count = (count.0 + 1, count.1.max(count.0 + 1));
                        drop(count);
                        work();
                        now.lock().unwrap().0 -= 1;
                        pace.over(since);
                    }
                });
            }
        });
        let mut begun = begun.into_inner().unwrap();
        begun.sort();
        assert!(begun.iter().map(|(_, at)| *at).eq(0..12), "{begun:?}");
        now.into_inner().unwrap().1
    }

    #[test]
    fn those_that_wait_are_several_at_once() {
        // Nobody goes on before four are at it.
        let four = Barrier::new(4);
        let work = || {
            four.wait();
        };
        assert_eq!(at_once(work, true), 4);
    }

    #[test]
    fn those_that_compute_are_one_at_a_time() {
        assert_eq!(at_once(|| thread::sleep(QUICK * 2), false), 1);
        let pace = Pace::default();
        let never = || panic!("nothing is at work");
        while let Some((_, (), begun)) = pace.next(1000, |_| (), never) {
            pace.over(begun);
        }
    }
}

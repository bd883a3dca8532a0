//! `Pace`: when the next driver may start, so that few overtake one another.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// Drivers that start at the same moment get the numbers of their RDMA devices and interfaces by chance, and each that has
/// the wrong one costs two renames. A moment apart most come out in order; and with this much between them as many are
/// at work at once as make a PF answer faster, for a driver that waits for firmware takes 50 ms at least.
const GAP: Duration = Duration::from_millis(3);

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
}

impl Pace {
    /// The next of `all`: at once when nothing is at work, a moment after the last one otherwise.
    pub(super) fn next(&self, all: usize) -> Option<usize> {
        let _turn = self.turn.lock().ok()?;
        let mut state = self.state.lock().ok()?;
        loop {
            if state.next >= all {
                return None;
            }
            let begun = state.last.filter(|_| state.at_work > 0);
            let left = begun.and_then(|begun| GAP.checked_sub(begun.elapsed()));
            let Some(left) = left else { break };
            (state, _) = self.over.wait_timeout(state, left).ok()?;
        }
        state.last = Some(Instant::now());
        state.at_work += 1;
        state.next += 1;
        Some(state.next - 1)
    }

    /// One of them is done with.
    pub(super) fn over(&self) {
        if let Ok(mut state) = self.state.lock() {
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
    use std::thread;

    #[test]
    fn each_once_in_order_and_a_moment_apart() {
        let pace = Pace::default();
        let begun = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(at) = pace.next(12) {
                        begun.lock().unwrap().push((at, Instant::now()));
                        thread::sleep(GAP * 4);
                        pace.over();
                    }
                });
            }
        });
        let mut begun = begun.into_inner().unwrap();
        begun.sort();
        assert!(begun.iter().map(|(at, _)| *at).eq(0..12));
        // The moments are taken behind the call: of four, the first and the last are this far apart all the same.
        let apart = begun[11].1 - begun[0].1;
        assert!(apart >= GAP * 10, "{apart:?}");
    }

    #[test]
    fn what_is_quick_is_not_kept_waiting() {
        let pace = Pace::default();
        let began = Instant::now();
        while pace.next(1000).is_some() {
            pace.over();
        }
        assert!(began.elapsed() < GAP * 1000);
        assert_eq!(pace.next(1000), None);
    }
}

//! Several things at once, each in a thread of its own as far as there are threads to be had.

use std::panic::resume_unwind;
use std::thread::{self, Builder};

/// Does `work` on each, and returns what came of them in their order. What the system has no thread for is done by the
/// caller, behind the first, which always is.
pub fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let Some((first, others)) = all.split_first() else {
        return Vec::new();
    };
    let work = &work;
    thread::scope(|scope| {
        let started: Vec<_> = others
            .iter()
            .map(|other| Builder::new().spawn_scoped(scope, move || work(other)).ok())
            .collect();
        let mut done = vec![work(first)];
        for (other, thread) in others.iter().zip(started) {
            let result = match thread.map(thread::ScopedJoinHandle::join) {
                Some(Ok(result)) => result,
                Some(Err(panic)) => resume_unwind(panic),
                None => work(other),
            };
            done.push(result);
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn all_at_once_and_in_order() {
        let four = Barrier::new(4);
        let done = each(&[1, 2, 3, 4], |number| {
            four.wait();
            number * 2
        });
        assert_eq!(done, [2, 4, 6, 8]);
        assert!(each(&[] as &[u8], |_| ()).is_empty());
    }
}

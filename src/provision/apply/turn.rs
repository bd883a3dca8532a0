//! `Turn`: one PF at a time speaks to the kernel over network interfaces.

use std::sync::{Mutex, PoisonError};

use super::StepError;

/// The kernel lets one at a time change or list interfaces (`rtnl_lock`, net/core/rtnetlink.c). Who waits there for one
/// that never comes back waits for ever; who waits here is told.
#[derive(Default)]
pub(super) struct Turn(Mutex<bool>);

impl Turn {
    /// Does `work` when nobody else is at it. It says whether the kernel has not come back from it: then nobody else
    /// begins, and is given `None`.
    pub(super) fn take<T>(&self, work: impl FnOnce() -> (T, bool)) -> Option<T> {
        let mut is_stuck = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_stuck {
            return None;
        }
        let (outcome, stuck) = work();
        *is_stuck = stuck;
        Some(outcome)
    }

    /// As [`Self::take`], for what fails as a step does.
    pub(super) fn step<T>(
        &self,
        work: impl FnOnce() -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let done = self.take(|| (work(), false));
        done.unwrap_or(Err(StepError::Behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_begins_behind_one_that_hangs() {
        let turn = Turn::default();
        assert_eq!(turn.take(|| (1, false)), Some(1));
        assert_eq!(turn.take(|| (2, true)), Some(2));
        assert_eq!(turn.take(|| (3, false)), None);
        assert!(matches!(turn.step(|| Ok(())), Err(StepError::Behind)));
    }
}

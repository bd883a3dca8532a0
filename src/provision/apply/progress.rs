//! `Watcher`: who is told how far an apply has come.

use std::time::Duration;

use crate::provision::plan::Step;
use crate::provision::problem::Trouble;

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// This may still pass, and is waited for, so long at most.
    Waits(&'a Trouble, Duration),
    /// These steps are to be done; told again when more is known, they are what is left.
    Begins(&'a [&'a Step]),
    /// A step is done.
    Done(&'a Step),
    /// A step failed.
    Failed(&'a Step),
}

/// Is told of every step, from several threads.
pub trait Watcher: Sync {
    /// Takes note.
    fn tell(&self, event: Event<'_>);
}

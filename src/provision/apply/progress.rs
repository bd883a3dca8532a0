//! `Watcher`: who is told how far an apply has come.

use crate::provision::plan::Step;

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// So many steps are to be done.
    Begins(usize),
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

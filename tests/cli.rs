//! The command line over tapes: what it asks the kernel, what it prints, how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "cli/devices.rs"]
mod devices;

#[path = "cli/batch.rs"]
mod batch;
#[path = "cli/change.rs"]
mod change;
#[path = "cli/process.rs"]
mod process;
#[path = "cli/show.rs"]
mod show;
#[path = "cli/words.rs"]
mod words;

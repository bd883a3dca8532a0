//! `resource` over tapes: what it asks the kernel, what it prints, how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

#[path = "cli_resource/devices.rs"]
mod devices;

#[path = "cli_resource/connections.rs"]
mod connections;
#[path = "cli_resource/hostile.rs"]
mod hostile;
#[path = "cli_resource/objects.rs"]
mod objects;
#[path = "cli_resource/pools.rs"]
mod pools;
#[path = "cli_resource/queue_pairs.rs"]
mod queue_pairs;
#[path = "cli_resource/refusals.rs"]
mod refusals;

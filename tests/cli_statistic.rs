//! `statistic` over tapes: what it asks the kernel, what it prints, how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "cli_statistic/devices.rs"]
mod devices;

#[path = "cli_statistic/memory_regions.rs"]
mod memory_regions;
#[path = "cli_statistic/optional.rs"]
mod optional;
#[path = "cli_statistic/ports.rs"]
mod ports;
#[path = "cli_statistic/queue_pairs.rs"]
mod queue_pairs;
#[path = "cli_statistic/words.rs"]
mod words;

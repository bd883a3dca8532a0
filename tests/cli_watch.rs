//! `--watch` and `--rate` over tapes: what is asked for again, what frames look like, how they end.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "cli_watch/devices.rs"]
mod devices;
#[path = "cli_watch/reader.rs"]
mod reader;

#[path = "cli_watch/frames.rs"]
mod frames;
#[path = "cli_watch/rates.rs"]
mod rates;
#[path = "cli_watch/words.rs"]
mod words;

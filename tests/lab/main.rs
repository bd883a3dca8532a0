//! Runs the lab's cases on real kernels: on the host it boots guests, in a guest it is the case runner.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test program, with no World to go through"
)]

mod adapter;
mod beside;
mod boot;
mod booted;
mod case;
mod cases;
mod guest;
mod handle;
mod host;
mod namespace;
mod namespace_number;
mod output;
mod pci;
mod report;
mod running;
mod snapshot;
mod soft_roce;
mod terminal;
mod tripwire;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("--in-guest") => guest::run_all(&args.split_off(2)),
        Some("--case") => guest::run_one(&args[2]),
        _ => host::main(args),
    }
}

//! The process: argv, environment and stdio in, an exit status out.
#![expect(
    clippy::disallowed_methods,
    reason = "the one place that reads argv and the environment"
)]

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::process::ExitCode;

use rdmactl::kernel::{Host, terminal};
use rdmactl::world::World;

fn main() -> ExitCode {
    let is_terminal = stdout().is_terminal();
    let world = World {
        argv: std::env::args_os().collect(),
        env: std::env::vars_os().collect(),
        input: &mut stdin(),
        out: &mut stdout(),
        err: &mut stderr(),
        terminal: is_terminal.then(terminal::width),
        host: Host::this(),
    };
    ExitCode::from(rdmactl::run(world).code())
}

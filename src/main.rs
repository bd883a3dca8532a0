//! The process: argv, environment and stdio in, an exit status out.
//!
//! It starts as a C program does. The standard library's own start reads `/proc/self/maps` and has each thread map a stack
//! for a message about overflows: some 0.1 ms of the 2.9 that an ADD of `rdma` took (docs/cost.md tells how that is counted).
#![no_main]
#![expect(
    clippy::disallowed_methods,
    reason = "the one place that reads argv and the environment"
)]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::io::{IsTerminal, Write, stderr, stdin, stdout};
use std::os::unix::ffi::OsStrExt;
use std::panic::catch_unwind;

use rdmactl::kernel::{Host, process, terminal};
use rdmactl::world::World;

/// What Rust programs end with behind a panic.
const PANICKED: u8 = 101;

#[expect(unsafe_code, reason = "the name by which the C library starts it")]
// SAFETY: no other symbol has this name, and the signature is that of C.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    #[expect(unsafe_code, reason = "argv comes from the C library")]
    // SAFETY: the C library hands over `count` strings, which live as long as the process.
    let argv = unsafe { argv(count, words) };
    let code = catch_unwind(|| run(argv)).unwrap_or(PANICKED);
    c_int::from(code)
}

fn run(argv: Vec<OsString>) -> u8 {
    if process::begin().is_err() {
        // Nobody can be told: a stream is closed, and what is opened next would take its place.
        return 1;
    }
    let is_terminal = stdout().is_terminal();
    let world = World {
        argv,
        env: std::env::vars_os().collect(),
        input: &mut stdin(),
        out: &mut stdout(),
        err: &mut stderr(),
        terminal: is_terminal.then(terminal::width),
        host: Host::this(),
    };
    let code = rdmactl::run(world).code();
    // What is written behind the last line stays in memory otherwise.
    let _ = stdout().flush();
    code
}

/// The words of the command line.
///
/// # Safety
/// `words` is an array of `count` pointers to strings, which live as long as the process.
#[expect(unsafe_code, reason = "argv comes from the C library")]
unsafe fn argv(count: c_int, words: *const *const c_char) -> Vec<OsString> {
    (0..usize::try_from(count).unwrap_or_default())
        .map(|index| {
            // SAFETY: as promised above.
            let word = unsafe { CStr::from_ptr(*words.add(index)) };
            OsStr::from_bytes(word.to_bytes()).to_owned()
        })
        .collect()
}

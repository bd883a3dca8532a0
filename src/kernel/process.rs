//! What a process has before it does anything: three open streams, and no signal from a pipe.

use std::fs::OpenOptions;
use std::io::{self, stderr, stdin, stdout};
use std::mem::forget;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};

/// Does what is to be done once, before the first thread and the first file.
///
/// # Errors
/// A standard stream is closed and `/dev/null` cannot take its place: the next file that is opened would, and be written
/// to as output.
pub fn begin() -> io::Result<()> {
    let (input, out, err) = (stdin(), stdout(), stderr());
    let ask = |stream| PollFd::new(stream, PollFlags::empty());
    let mut streams = [ask(input.as_fd()), ask(out.as_fd()), ask(err.as_fd())];
    let lacks = |stream: &PollFd<'_>| {
        stream
            .revents()
            .is_none_or(|told| told.contains(PollFlags::POLLNVAL))
    };
    // It refuses where fewer than three files may be open: all is looked at then.
    if poll(&mut streams, PollTimeout::ZERO).is_err() || streams.iter().any(lacks) {
        fill_up()?;
    }
    #[expect(unsafe_code, reason = "a handler of signals is process-wide")]
    // SAFETY: it is no function of ours that would run in the middle of another.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the C library's own setting")]
    // SAFETY: two numbers; there is one thread yet.
    unsafe {
        // Each further thread maps and touches memory of its own otherwise, though most make one socket.
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
    Ok(())
}

/// The lowest free number is the next one, so that this takes those that lack.
fn fill_up() -> io::Result<()> {
    loop {
        let null = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")?;
        if null.as_raw_fd() > libc::STDERR_FILENO {
            return Ok(());
        }
        forget(null);
    }
}

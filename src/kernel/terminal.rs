//! Standard output: the size of its terminal, and a pause that ends when its reader leaves.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

/// Characters that a terminal shows at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// In a line, 1 or more.
    pub columns: u16,
    /// Lines, 1 or more.
    pub lines: u16,
}

/// What a terminal has that does not say.
const USUAL: Size = Size {
    columns: 80,
    lines: 24,
};

/// The size of the terminal on standard output, as it is now; 80 by 24 where it does not say.
pub fn size() -> Size {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let stdout = io::stdout().as_raw_fd();
    #[expect(
        unsafe_code,
        reason = "nix declares this ioctl, as every other, for the caller to call"
    )]
    // SAFETY: TIOCGWINSZ fills a winsize, and the pointer is to one that lives until the call ends.
    let result = unsafe { libc::ioctl(stdout, libc::TIOCGWINSZ, &mut size) };
    let told = |value: u16| Some(value).filter(|value| result == 0 && *value > 0);
    Size {
        columns: told(size.ws_col).unwrap_or(USUAL.columns),
        lines: told(size.ws_row).unwrap_or(USUAL.lines),
    }
}

/// Characters in a line; 80 where the terminal does not say.
pub fn width() -> u16 {
    size().columns
}

/// Waits until `until`, of a clock that never goes back.
///
/// # Errors
/// `BrokenPipe` at once when nobody reads standard output any more.
pub fn pause(until: Instant) -> io::Result<()> {
    let stdout = io::stdout();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        // No flag is asked for: the kernel tells of POLLERR and POLLHUP unasked.
        let mut watched = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        match ppoll(&mut watched, Some(TimeSpec::from_duration(left)), None) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Err(io::ErrorKind::BrokenPipe.into()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_pause_is_not_cut_short() {
        let until = Instant::now() + Duration::from_millis(30);
        pause(until).unwrap();
        assert!(Instant::now() >= until);
        // What is past already is not waited for.
        pause(until).unwrap();
    }
}

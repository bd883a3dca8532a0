//! The width of the terminal on standard output.

use std::os::fd::AsRawFd;

use nix::libc;

/// Characters in a line; 80 where the terminal does not say.
pub fn width() -> u16 {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let stdout = std::io::stdout().as_raw_fd();
    #[expect(
        unsafe_code,
        reason = "nix declares this ioctl, as every other, for the caller to call"
    )]
    // SAFETY: TIOCGWINSZ fills a winsize, and the pointer is to one that lives until the call ends.
    let result = unsafe { libc::ioctl(stdout, libc::TIOCGWINSZ, &mut size) };
    if result == 0 && size.ws_col > 0 {
        size.ws_col
    } else {
        80
    }
}

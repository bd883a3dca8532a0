//! Waiting for the end of processes that are nobody's children, without asking again and again.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// So many processes are waited for at once, which is far below the usual limit of open files.
const MAX_WATCHED: usize = 256;

/// Waits until one of the processes has ended, `limit` at most, and says which have.
///
/// A process that cannot be watched is as if it did not end; with no other the time is slept.
/// Processes beyond the first 256 are not watched.
pub fn first_end(pids: &[u32], limit: Duration) -> Vec<u32> {
    let (mut watched, mut ended) = (Vec::new(), Vec::new());
    for pid in pids.iter().take(MAX_WATCHED) {
        match open(*pid) {
            Ok(fd) => watched.push((*pid, fd)),
            Err(Errno::ESRCH) => ended.push(*pid),
            Err(_) => {}
        }
    }
    if !ended.is_empty() {
        return ended;
    }
    if watched.is_empty() {
        thread::sleep(limit);
        return ended;
    }
    // Rounded up: 0 would not wait at all. A signal ends the wait early, which is no harm.
    let timeout = PollTimeout::try_from(limit.as_nanos().div_ceil(1_000_000));
    let mut wanted: Vec<PollFd<'_>> = watched
        .iter()
        .map(|(_, fd)| PollFd::new(fd.as_fd(), PollFlags::POLLIN))
        .collect();
    if poll(&mut wanted, timeout.unwrap_or(PollTimeout::MAX)).is_ok() {
        let came = wanted.iter().map(|fd| fd.any() == Some(true));
        ended.extend(
            watched
                .iter()
                .zip(came)
                .filter_map(|((pid, _), came)| came.then_some(*pid)),
        );
    }
    ended
}

fn open(pid: u32) -> Result<OwnedFd, Errno> {
    #[expect(unsafe_code, reason = "nix has no wrapper for pidfd_open")]
    // SAFETY: the call takes two numbers and touches no memory of ours.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let number = Errno::result(answer)?;
    let number = i32::try_from(number).map_err(|_| Errno::EBADF)?;
    #[expect(
        unsafe_code,
        reason = "a descriptor comes out of a system call as a number"
    )]
    // SAFETY: the kernel has just opened the descriptor for this call, so nobody else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Instant;

    #[test]
    fn an_end_is_noticed_when_it_comes() {
        let spawn = |seconds: &str| Command::new("sleep").arg(seconds).spawn().unwrap();
        let (mut long, mut short) = (spawn("60"), spawn("0.2"));
        let begun = Instant::now();
        let ended = first_end(&[long.id(), short.id()], Duration::from_secs(30));
        assert_eq!(ended, [short.id()]);
        assert!(begun.elapsed() < Duration::from_secs(20));
        short.wait().unwrap();
        assert_eq!(first_end(&[short.id()], Duration::MAX), [short.id()]);
        let none = first_end(&[long.id()], Duration::from_millis(20));
        long.kill().unwrap();
        long.wait().unwrap();
        assert_eq!(none, [0; 0]);
    }

    #[test]
    fn nobody_to_wait_for() {
        let begun = Instant::now();
        assert!(first_end(&[], Duration::from_millis(30)).is_empty());
        assert!(begun.elapsed() >= Duration::from_millis(30));
    }
}

//! Running another program: bytes in, bytes out, and how it ended.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::pidfd;

/// How often a binary that is just being replaced is tried again.
const BUSY_TRIES: u32 = 6;
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// More than any answer; the rest is read and dropped, so that the program can end.
const MAX_OUTPUT: u64 = 4 * 1024 * 1024;

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it complained of.
    pub stderr: Vec<u8>,
    /// Its exit status, or the signal that ended it.
    pub status: ExitStatus,
}

/// The first regular file called `name` in the folders of `path`, which colons separate. `name`
/// must not be a path itself.
pub fn find(path: &str, name: &str) -> Option<PathBuf> {
    let sound = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
    let folders = path.split(':').filter(|folder| sound && !folder.is_empty());
    folders
        .map(|folder| Path::new(folder).join(name))
        .find(|file| file.is_file())
}

/// Runs `program` without arguments and with exactly this environment, and waits for its end.
///
/// # Errors
/// Those of starting it. A program that does not read its input, or ends early, is no error.
pub fn run(program: &Path, env: &BTreeMap<OsString, OsString>, input: &[u8]) -> io::Result<Ended> {
    run_within(program, env, input, Duration::MAX)
}

/// As [`run`], for a program that may be anything: after `limit` it is killed.
///
/// # Errors
/// Those of starting it.
pub fn run_within(
    program: &Path,
    env: &BTreeMap<OsString, OsString>,
    input: &[u8],
    limit: Duration,
) -> io::Result<Ended> {
    let mut child = spawn(program, env)?;
    let spoken = converse(&mut child, input, limit);
    let status = child.wait()?;
    let (stdout, stderr) = spoken?;
    Ok(Ended {
        stdout,
        stderr,
        status,
    })
}

/// Tells it everything and hears everything it says, both at once, and kills it after `limit`.
fn converse(child: &mut Child, input: &[u8], limit: Duration) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let pid = child.id();
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let stderr =
            thread::Builder::new().spawn_scoped(scope, move || stderr.map(all).unwrap_or_default());
        let written = thread::Builder::new().spawn_scoped(scope, move || {
            // EPIPE: it did not want to know.
            stdin.map(|mut stdin| stdin.write_all(input))
        });
        if stderr.is_err() || written.is_err() {
            // EAGAIN: this process may have no more threads. What was begun ends with the child.
            let _ = child.kill();
        }
        let (stderr, written) = (stderr?, written?);
        if limit < Duration::MAX && pidfd::first_end(&[pid], limit).is_empty() {
            // ESRCH: it has ended this very moment.
            let _ = child.kill();
        }
        let stdout = stdout.map(all).unwrap_or_default();
        let _ = written.join();
        Ok((stdout, stderr.join().unwrap_or_default()))
    })
}

/// What came of a program that was waited for no longer than so long.
#[derive(Debug)]
pub enum Asked {
    /// It ended.
    Ended(Ended),
    /// It goes on as this process. It can write on, for nobody.
    Slow(u32),
}

/// Runs `program` with arguments, exactly this environment and no input, and waits `limit` at most.
///
/// What it prints goes to memory that it keeps: pipes would end with us, and it with them, perhaps
/// in the middle of something that must not stop there.
///
/// # Errors
/// Those of starting it.
pub fn ask(
    program: &Path,
    arguments: &[&OsStr],
    env: &BTreeMap<OsString, OsString>,
    limit: Duration,
) -> io::Result<Asked> {
    let mut stdout = memory()?;
    let mut stderr = memory()?;
    let mut child = start(|| {
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(env)
            .stdin(Stdio::null())
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?)
            .spawn()
    })?;
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Asked::Slow(child.id()));
        }
        pidfd::first_end(&[child.id()], left);
    };
    let read = |file: &mut File| -> io::Result<Vec<u8>> {
        file.rewind()?;
        let mut bytes = Vec::new();
        file.take(MAX_OUTPUT).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    Ok(Asked::Ended(Ended {
        stdout: read(&mut stdout)?,
        stderr: read(&mut stderr)?,
        status,
    }))
}

/// A file for an answer that a program writes to a path, and that is in no folder.
#[derive(Debug)]
pub struct Answer(File);

impl Answer {
    /// An empty one.
    ///
    /// # Errors
    /// Those of making it.
    pub fn new() -> io::Result<Self> {
        memory().map(Self)
    }

    /// The path by which a program of the same user opens it (`/proc/PID/fd/N`, proc(5)), also
    /// several times; it is there as long as we are.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// What was written to it.
    ///
    /// # Errors
    /// Those of reading.
    pub fn read(mut self) -> io::Result<Vec<u8>> {
        self.0.rewind()?;
        let mut bytes = Vec::new();
        self.0.take(MAX_OUTPUT).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A file that is nowhere.
fn memory() -> io::Result<File> {
    Ok(memfd_create(c"output", MFdFlags::MFD_CLOEXEC)?.into())
}

fn spawn(program: &Path, env: &BTreeMap<OsString, OsString>) -> io::Result<Child> {
    start(|| {
        Command::new(program)
            .env_clear()
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    })
}

fn start(mut spawn: impl FnMut() -> io::Result<Child>) -> io::Result<Child> {
    let mut tries = 1;
    loop {
        match spawn() {
            // ETXTBSY: somebody is writing the file.
            Err(error)
                if error.raw_os_error() == Some(Errno::ETXTBSY as i32) && tries < BUSY_TRIES =>
            {
                tries += 1;
                thread::sleep(BUSY_PAUSE);
            }
            other => return other,
        }
    }
}

fn all(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.by_ref().take(MAX_OUTPUT).read_to_end(&mut bytes);
    let _ = io::copy(&mut stream, &mut io::sink());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn streams_environment_and_status() {
        let dir = tempfile::tempdir().unwrap();
        let path = script(
            dir.path(),
            "echo",
            "#!/bin/sh\ncat; echo \"$WORD\" >&2; exit 3\n",
        );
        let env = [("WORD".into(), "x".into())].into();
        let ended = run(&path, &env, b"in").unwrap();
        assert_eq!(
            (&ended.stdout[..], &ended.stderr[..]),
            (&b"in"[..], &b"x\n"[..])
        );
        assert_eq!(ended.status.code(), Some(3));
    }

    #[test]
    fn much_in_and_much_out_do_not_wait_for_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = script(
            dir.path(),
            "flood",
            "#!/bin/sh\nhead -c 6000000 /dev/zero; head -c 200000 /dev/zero >&2\n",
        );
        let ended = run(&path, &BTreeMap::new(), &vec![b'x'; 300_000]).unwrap();
        assert_eq!(ended.stdout.len() as u64, MAX_OUTPUT);
        assert_eq!(ended.stderr.len(), 200_000);
    }

    #[test]
    fn one_that_does_not_end_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let sleeps = script(dir.path(), "sleeps", "#!/bin/sh\nexec sleep 60\n");
        let limit = Duration::from_millis(100);
        let ended = run_within(&sleeps, &BTreeMap::new(), b"", limit).unwrap();
        assert_eq!(ended.status.code(), None);
        let quick = script(dir.path(), "quick", "#!/bin/sh\necho x\n");
        let ended = run_within(&quick, &BTreeMap::new(), b"", Duration::from_secs(60)).unwrap();
        assert_eq!(
            (ended.status.code(), &ended.stdout[..]),
            (Some(0), &b"x\n"[..])
        );
    }

    #[test]
    fn only_a_file_in_one_of_the_folders() {
        let dir = tempfile::tempdir().unwrap();
        script(dir.path(), "host-local", "");
        fs::create_dir(dir.path().join("folder")).unwrap();
        let path = format!("/nowhere::{}", dir.path().display());
        assert_eq!(
            find(&path, "host-local"),
            Some(dir.path().join("host-local"))
        );
        for name in ["", ".", "..", "folder", "a/host-local", "../x", "dhcp"] {
            assert_eq!(find(&path, name), None, "{name}");
        }
    }

    #[test]
    fn asked_with_arguments_and_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = script(
            dir.path(),
            "tool",
            "#!/bin/sh\necho \"$@\"; echo \"$LANG\" >&2; [ \"$1\" != stay ] || exec sleep 60\n",
        );
        let env = [("LANG".into(), "C".into())].into();
        let ask = |words: &[&str], limit| {
            let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
            ask(&path, &words, &env, limit).unwrap()
        };
        let Asked::Ended(ended) = ask(&["a", "b c"], Duration::from_secs(60)) else {
            panic!("it ended");
        };
        assert_eq!(
            (&ended.stdout[..], &ended.stderr[..]),
            (&b"a b c\n"[..], &b"C\n"[..])
        );
        let Asked::Slow(pid) = ask(&["stay"], Duration::from_millis(200)) else {
            panic!("it went on");
        };
        let pid = nix::unistd::Pid::from_raw(pid as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
    }
}

//! Running another program: bytes in, bytes out, and how it ended.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;

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
    let mut child = spawn(program, env)?;
    let spoken = converse(&mut child, input);
    let status = child.wait()?;
    let (stdout, stderr) = spoken?;
    Ok(Ended {
        stdout,
        stderr,
        status,
    })
}

/// Tells it everything and hears everything it says, both at once.
fn converse(child: &mut Child, input: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
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
        let stdout = stdout.map(all).unwrap_or_default();
        let _ = written.join();
        Ok((stdout, stderr.join().unwrap_or_default()))
    })
}

fn spawn(program: &Path, env: &BTreeMap<OsString, OsString>) -> io::Result<Child> {
    let mut tries = 1;
    loop {
        let started = Command::new(program)
            .env_clear()
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        match started {
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
}

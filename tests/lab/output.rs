//! Running a command and saying what is expected of it; a disappointed expectation shows everything.

use std::fmt;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

#[derive(Clone)]
pub(crate) struct Output {
    pub(crate) command: String,
    /// As a shell says it: 128 and the signal's number for a command that a signal ended.
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "command: {}\nexit status: {}\n--- stdout\n{}\n--- stderr\n{}\n---",
            self.command, self.status, self.stdout, self.stderr
        )
    }
}

/// Runs to the end, with `input` on standard input.
pub(crate) fn run(command: &mut Command, input: &str) -> Output {
    let shown = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {shown}: {error}"));
    // A command that does not read its input may be gone already.
    let _ = child
        .stdin
        .take()
        .expect("piped")
        .write_all(input.as_bytes());
    let done = child
        .wait_with_output()
        .unwrap_or_else(|error| panic!("cannot wait for {shown}: {error}"));
    Output {
        command: shown,
        status: done
            .status
            .code()
            .unwrap_or_else(|| 128 + done.status.signal().unwrap_or(0)),
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

/// A command under way, of which a line is read at a time.
pub(crate) struct Started {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Started {
    pub(crate) fn new(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line, when it comes.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let line = self.lines.next().expect("it prints no more");
        line.expect("its output is text")
    }

    #[track_caller]
    pub(crate) fn json(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

/// It ends with its reader.
impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[allow(dead_code, reason = "the vocabulary of cases, not all of it used yet")]
impl Output {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.fails(0)
    }

    /// Ends with exactly this exit status.
    #[track_caller]
    pub(crate) fn fails(self, status: i32) -> Self {
        assert!(
            self.status == status,
            "expected exit status {status}\n{self}"
        );
        self
    }

    #[track_caller]
    pub(crate) fn stdout_is(self, text: &str) -> Self {
        assert!(self.stdout == text, "expected on stdout:\n{text}\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn stdout_has(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text),
            "expected on stdout: {text}\n{self}"
        );
        self
    }

    #[track_caller]
    pub(crate) fn stdout_lacks(self, text: &str) -> Self {
        assert!(
            !self.stdout.contains(text),
            "not expected on stdout: {text}\n{self}"
        );
        self
    }

    #[track_caller]
    pub(crate) fn stderr_is(self, text: &str) -> Self {
        assert!(self.stderr == text, "expected on stderr:\n{text}\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn stderr_has(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "expected on stderr: {text}\n{self}"
        );
        self
    }

    /// Nothing on either stream.
    #[track_caller]
    pub(crate) fn silent(self) -> Self {
        assert!(
            self.stdout.is_empty() && self.stderr.is_empty(),
            "expected no output\n{self}"
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{self}"))
    }
}

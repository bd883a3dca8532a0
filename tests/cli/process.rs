//! What the process starts with: all three streams, whatever the caller has closed.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A file that is opened later must not become what output goes to.
#[test]
fn closed_streams_are_open() {
    // Waits for the lines of its standard input.
    let mut child = Command::new("sh")
        .args(["-c", "exec \"$0\" -batch - >&- 2>&-"])
        .arg(env!("CARGO_BIN_EXE_rdmactl"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let of_child = |what: &str| fs::read_link(format!("/proc/{}/{what}", child.id()));
    let begun = Instant::now();
    let opened = loop {
        let is_ours = of_child("exe").is_ok_and(|exe| exe.ends_with("rdmactl"));
        let opened = ["fd/1", "fd/2"].map(|fd| of_child(fd).unwrap_or_default());
        let all = opened.iter().all(|path| path.ends_with("null"));
        if is_ours && all || begun.elapsed() > Duration::from_secs(20) {
            break opened;
        }
    };
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(
        opened.map(|path| path.display().to_string()),
        ["/dev/null"; 2]
    );
}

/// A reader that has left is an error to be told, not the end by a signal.
#[test]
fn nobody_reads() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdmactl"));
    let status = command.arg("--help").stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
}

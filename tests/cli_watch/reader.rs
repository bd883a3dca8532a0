//! A reader that leaves after so many writes, and what it has read.

use std::io::{self, Write};

use rdmactl::world::World;
use serde_json::Value;

use crate::support::{Ran, Tape};

/// A reader that leaves after so many writes.
struct Leaving {
    writes: usize,
    read: Vec<u8>,
}

impl Write for Leaving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.writes == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.writes -= 1;
        self.read.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn call(tape: &Tape, line: &str, writes: usize) -> Ran {
    on(None, tape, line, writes)
}

/// On a terminal of this kind, if on any; its size is that of the test's own.
pub(crate) fn on(term: Option<&str>, tape: &Tape, line: &str, writes: usize) -> Ran {
    let root = tempfile::tempdir().unwrap();
    let read = Vec::new();
    let (mut out, mut err) = (Leaving { writes, read }, Vec::new());
    let world = World {
        argv: line.split(' ').map(Into::into).collect(),
        env: term
            .map(|term| ("TERM".into(), term.into()))
            .into_iter()
            .collect(),
        input: &mut io::empty(),
        out: &mut out,
        err: &mut err,
        terminal: term.map(|_| 80),
        host: tape.host(root.path()),
    };
    let code = rdmactl::run(world).code();
    assert!(tape.is_over(), "{line}: less was asked than the tape has");
    Ran {
        code,
        out: String::from_utf8(out.read).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

pub(crate) fn lines(ran: &Ran) -> Vec<Value> {
    let lines = ran.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

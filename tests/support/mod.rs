//! Tapes that stand in for netlink sockets, recorded bytes, and a run of the whole program over tapes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    clippy::disallowed_methods
)]

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rdmactl::kernel::{Datagrams, Host, Protocol};
use rdmactl::wire::Request;
use rdmactl::world::World;

/// What the kernel plays back: for each request in turn, the type and body it must have and the
/// datagrams that answer it.
#[derive(Clone, Default)]
pub struct Tape(Arc<Mutex<VecDeque<Turn>>>);

struct Turn {
    request: Request,
    answers: Vec<Answer>,
}

/// One datagram, or what `recv` fails with.
pub enum Answer {
    Bytes(Vec<u8>),
    Errno(i32),
}

impl Tape {
    /// Expects `request` next and answers it.
    pub fn then(self, request: Request, answers: Vec<Answer>) -> Self {
        self.0.lock().unwrap().push_back(Turn { request, answers });
        self
    }

    /// Everything on the tape was asked for.
    pub fn is_over(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }

    /// The next socket that the program opens plays this tape.
    pub fn socket(&self) -> Box<dyn Datagrams> {
        Box::new(Player {
            tape: self.clone(),
            queue: VecDeque::new(),
        })
    }

    /// A machine with its files below `root` whose sockets all play this tape.
    pub fn host(&self, root: &Path) -> Host {
        let tape = self.clone();
        Host::new(root, Box::new(move |_: Protocol| Ok(tape.socket())))
    }
}

struct Player {
    tape: Tape,
    /// Answers, each with the number of the request it belongs to.
    queue: VecDeque<(u32, Answer)>,
}

impl Datagrams for Player {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.queue.clear();
        for request in messages(datagram) {
            let sequence = u32::from_ne_bytes(request[8..12].try_into().unwrap());
            let turn = self
                .tape
                .0
                .lock()
                .unwrap()
                .pop_front()
                .expect("a request behind the end of the tape");
            assert_eq!(
                request,
                turn.request.datagram(sequence),
                "not the request the tape expects"
            );
            self.queue
                .extend(turn.answers.into_iter().map(|answer| (sequence, answer)));
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        match self
            .queue
            .pop_front()
            .expect("the program waits for more than the tape has")
        {
            (_, Answer::Errno(errno)) => Err(io::Error::from_raw_os_error(errno)),
            (sequence, Answer::Bytes(mut bytes)) => {
                // The tape does not know the number of the request it answers.
                let mut at = 0;
                while at + 16 <= bytes.len() {
                    let length = u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
                    if bytes[at + 8..at + 12] == [0; 4] {
                        bytes[at + 8..at + 12].copy_from_slice(&sequence.to_ne_bytes());
                    }
                    at += length.max(16).next_multiple_of(4);
                }
                *into = bytes;
                Ok(())
            }
        }
    }
}

/// The messages of a datagram that the program sent.
fn messages(datagram: &[u8]) -> Vec<&[u8]> {
    let mut rest = datagram;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_ne_bytes(rest[..4].try_into().unwrap()) as usize;
        found.push(&rest[..length]);
        rest = &rest[length.next_multiple_of(4).min(rest.len())..];
    }
    found
}

/// A message as the kernel sends it; `sequence` 0 is replaced by that of the request.
pub fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&(16 + body.len() as u32).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A data message with the attributes of `content`.
pub fn data(kind: u16, content: &Request) -> Answer {
    Answer::Bytes(message(kind, 0, 0, content.body()))
}

/// An entry of a listing.
pub fn entry(kind: u16, content: &Request) -> Answer {
    Answer::Bytes(message(kind, 2, 0, content.body()))
}

/// NLMSG_ERROR with this errno; 0 acknowledges.
pub fn ack(errno: i32) -> Answer {
    let mut body = (-errno).to_ne_bytes().to_vec();
    body.extend_from_slice(&[0; 16]);
    Answer::Bytes(message(2, 0x100, 0, &body))
}

/// NLMSG_DONE with this status.
pub fn done(errno: i32) -> Answer {
    Answer::Bytes(message(3, 2, 0, &(-errno).to_ne_bytes()))
}

/// What a run left.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// What it printed, when it succeeded and had nothing to say besides.
    #[track_caller]
    pub fn printed(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }
}

/// Runs the words of `line` over the tape, which must be over then, with the files below `root`.
#[track_caller]
pub fn play(tape: &Tape, root: &Path, line: &str, input: &str, terminal: Option<u16>) -> Ran {
    let argv: Vec<&str> = line.split(' ').collect();
    let ran = run(tape.host(root), &argv, &[], input.as_bytes(), terminal);
    assert!(
        tape.is_over(),
        "{line}: the program asked for less than the tape has"
    );
    ran
}

/// The bytes of `tests/fixtures/wire/NAME.hex`, recorded from a kernel.
pub fn capture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire");
    let text = std::fs::read_to_string(folder.join(format!("{name}.hex"))).unwrap();
    let bytes = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace);
    bytes
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// Runs the program in this process.
pub fn run(
    host: Host,
    argv: &[&str],
    env: &[(&str, &str)],
    input: &[u8],
    terminal: Option<u16>,
) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut input = input;
    let world = World {
        argv: argv.iter().map(Into::into).collect(),
        env: env
            .iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect::<BTreeMap<_, _>>(),
        input: &mut input,
        out: &mut out,
        err: &mut err,
        terminal,
        host,
    };
    let code = rdmactl::run(world).code();
    Ran {
        code,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

//! A machine made of files in a temporary folder, for the tests of the floors above.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use netlink_packet_core::{NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR};
use nix::errno::Errno;

use super::Host;
use super::child::Outcome;
use super::datagrams::Datagrams;
use crate::wire::Request;
use crate::wire::nldev::attr_ids::*;
use crate::wire::nldev::{message_type, op};
use crate::wire::request::HEADER_LEN;

/// A host below `root` that has no netlink.
pub fn host(root: &Path) -> Host {
    Host::new(root, Box::new(|_| Err(io::ErrorKind::Unsupported.into())))
}

/// A machine that lives as long as the value.
pub struct Machine(tempfile::TempDir);

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// An empty machine with a `/proc`.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("proc")).unwrap();
        Self(dir)
    }

    /// The machine as operations see it.
    pub fn host(&self) -> Host {
        host(self.0.path())
    }

    /// The machine with a netlink of its own.
    pub fn host_with(&self, kernel: Kernel) -> Host {
        host_with(self.0.path(), kernel)
    }

    /// Where a relative path of the machine lies.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    /// The text of a file.
    pub fn read(&self, relative: &str) -> String {
        String::from_utf8(self.bytes(relative)).unwrap()
    }

    /// The bytes of a file.
    pub fn bytes(&self, relative: &str) -> Vec<u8> {
        fs::read(self.path(relative)).unwrap()
    }

    /// Adds a file.
    pub fn file(self, relative: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.above(relative);
        fs::write(path, content).unwrap();
        self
    }

    /// Adds a program that a shell runs.
    pub fn program(self, relative: &str, script: &str) -> Self {
        let machine = self.file(relative, format!("#!/bin/sh\n{script}\n"));
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(machine.path(relative), mode).unwrap();
        machine
    }

    /// Adds a symbolic link.
    pub fn link(self, relative: &str, target: &str) -> Self {
        symlink(target, self.above(relative)).unwrap();
        self
    }

    /// Adds a process with its network namespace, command and control group.
    pub fn process(self, pid: u32, net: &str, comm: &str, cgroup: &str) -> Self {
        self.link(&format!("proc/{pid}/ns/net"), net)
            .file(&format!("proc/{pid}/comm"), format!("{comm}\n"))
            .file(&format!("proc/{pid}/cgroup"), format!("{cgroup}\n"))
    }

    fn above(&self, relative: &str) -> PathBuf {
        assert!(
            Path::new(relative).is_relative(),
            "{relative} leaves the machine"
        );
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }
}

/// What the kernel of a test answers.
pub enum Answer {
    /// Done, or a listing without entries.
    Done,
    /// Refused, with the kernel's sentence if it has one.
    Refused(Errno, Option<&'static str>),
    /// The attributes of each object.
    Data(Vec<Vec<u8>>),
    /// None: the kernel keeps who sends the request, which is this child process.
    Stuck(u32),
}

/// Answers a request, given its message type and its attributes.
pub type Kernel = Arc<dyn Fn(u16, &[u8]) -> Answer + Send + Sync>;

/// A host below `root` whose netlink is `kernel`.
pub fn host_with(root: &Path, kernel: Kernel) -> Host {
    Host::new(
        root,
        Box::new(move |_| {
            Ok(Box::new(Conversation {
                kernel: kernel.clone(),
                answers: VecDeque::new(),
                stuck: None,
            }))
        }),
    )
}

struct Conversation {
    kernel: Kernel,
    answers: VecDeque<Vec<u8>>,
    stuck: Option<u32>,
}

impl Datagrams for Conversation {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let mut rest = datagram;
        while let Some(length) = rest.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes)) {
            let (message, behind) = rest.split_at(length as usize);
            self.answer(message);
            rest = behind;
        }
        Ok(())
    }

    fn send_within(&mut self, datagram: &[u8], _limit: Duration) -> io::Result<Outcome> {
        self.send(datagram)?;
        let stuck = self.stuck.take();
        Ok(stuck.map_or(Outcome::Done(Ok(())), |pid| Outcome::Stuck { pid }))
    }

    fn receive_ready(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        let ready = self.answers.pop_front().map(|answer| *into = answer);
        Ok(ready.is_some())
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        *into = self.answers.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        Ok(())
    }
}

impl Conversation {
    fn answer(&mut self, datagram: &[u8]) {
        let u16_at = |at: usize| u16::from_ne_bytes([datagram[at], datagram[at + 1]]);
        let dump = u16_at(6) & NLM_F_DUMP == NLM_F_DUMP;
        let sequence = &datagram[8..12];
        let mut message = |kind: u16, flags: u16, body: &[u8]| {
            let length = (HEADER_LEN + body.len()) as u32;
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(flags.to_ne_bytes());
            bytes.extend(sequence);
            bytes.extend([0; 4]);
            bytes.extend(body);
            self.answers.push_back(bytes);
        };
        let (errno, sentence) = match (self.kernel)(u16_at(4), &datagram[HEADER_LEN..]) {
            Answer::Stuck(pid) => {
                self.stuck = Some(pid);
                return;
            }
            Answer::Done => (0, None),
            Answer::Refused(errno, sentence) => (errno as i32, sentence),
            Answer::Data(objects) => {
                for object in &objects {
                    message(u16_at(4), 0, object);
                }
                (0, None)
            }
        };
        let mut verdict = (-errno).to_ne_bytes().to_vec();
        if dump && errno == 0 {
            message(NLMSG_DONE, 0, &verdict);
            return;
        }
        // NLM_F_CAPPED: the request's header alone is echoed; NLM_F_ACK_TLVS: a sentence follows.
        verdict.extend([0; HEADER_LEN]);
        if let Some(sentence) = sentence {
            verdict.extend(Request::new(0).text(1, sentence).body());
        }
        message(NLMSG_ERROR, 0x300, &verdict);
    }
}

/// The nldev of a kernel in this namespace mode with these devices, numbered from 0.
pub fn nldev(mode: u8, devices: &[&str]) -> Kernel {
    const GET: u16 = message_type(op::GET);
    const SYS_GET: u16 = message_type(op::SYS_GET);
    let devices: Vec<Vec<u8>> = devices.iter().zip(0..).map(device).collect();
    Arc::new(move |kind, _| match kind {
        GET => Answer::Data(devices.clone()),
        SYS_GET => {
            let settings = Request::new(0).u8(RDMA_NLDEV_SYS_ATTR_NETNS_MODE, mode);
            Answer::Data(vec![settings.body().to_vec()])
        }
        _ => Answer::Refused(Errno::EINVAL, None),
    })
}

fn device((name, index): (&&str, u32)) -> Vec<u8> {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, name)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
        .body()
        .to_vec()
}

//! `NetlinkError`: what can go wrong between us and the kernel, its refusals first of all.

use std::io;

use nix::errno::Errno;

use super::datagrams::Protocol;
use crate::wire::DecodeError;

/// How often a listing is begun again when the kernel says that it changed meanwhile.
pub(super) const DUMP_TRIES: u32 = 8;

/// The kernel's refusal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the kernel answered.
    pub errno: Errno,
    /// The kernel's own sentence, where it gave one.
    pub message: Option<String>,
}

/// What can go wrong between us and the kernel.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The socket could not be opened.
    #[error("Failed to open {protocol} socket")]
    Open {
        /// Which family.
        protocol: Protocol,
        /// `EPROTONOSUPPORT`: the kernel does not have it.
        #[source]
        source: io::Error,
    },
    /// Sending or receiving failed.
    #[error("the netlink socket failed")]
    Transport(#[source] io::Error),
    /// The kernel refused the request.
    #[error("{}", .0.errno.desc())]
    Refused(Refusal),
    /// The kernel has not finished with the request in time. It may still do what it was asked for.
    #[error("the kernel has not answered yet, and process {pid} waits in it for the answer")]
    Stuck {
        /// The child process that sent it.
        pid: u32,
    },
    /// The kernel dropped answers because the socket's buffer was full.
    #[error("the kernel dropped netlink answers, its buffer was full")]
    Overrun,
    /// A listing changed under us every time it was begun.
    #[error("the list of objects kept changing while the kernel sent it ({DUMP_TRIES} tries)")]
    Unstable,
    /// The answer is not what the protocol promises.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

impl NetlinkError {
    /// The errno of a refusal.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused(refusal) => Some(refusal.errno),
            _ => None,
        }
    }
}

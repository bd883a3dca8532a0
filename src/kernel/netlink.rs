//! `Conn`: requests, acknowledgements and listings over one netlink socket.

mod changes;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use netlink_packet_core::{NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN};
use nix::errno::Errno;

use super::child::Outcome;
use super::datagrams::Datagrams;
use super::messages::{Message, Messages, verdict};
use super::netlink_error::{DUMP_TRIES, NetlinkError};
use crate::wire::{DecodeError, Request};

/// How many questions are sent before their answers are read: an answer takes up to 8 KiB of the
/// socket's buffer, which has 208 KiB.
const AT_ONCE: usize = 16;

/// One conversation with the kernel. Requests are numbered from 1; answers are matched by that
/// number alone, for PORT_GET answers with another type than it was asked with.
pub struct Conn {
    datagrams: Box<dyn Datagrams>,
    sequence: u32,
    buffer: Vec<u8>,
    /// The request being sent.
    request: Vec<u8>,
    indexes: BTreeMap<String, u32>,
}

impl Conn {
    /// Speaks over `datagrams`.
    pub fn new(datagrams: Box<dyn Datagrams>) -> Self {
        Self {
            datagrams,
            sequence: 0,
            buffer: Vec::new(),
            request: Vec::new(),
            indexes: BTreeMap::new(),
        }
    }

    /// The index of the device that was listed last under this name. It may be gone, or be called
    /// otherwise by now: the answer to a question by index tells.
    pub fn index_of(&self, name: &str) -> Option<u32> {
        self.indexes.get(name).copied()
    }

    /// Keeps the names and indexes of a listing for the commands to come over this socket.
    pub fn keep_indexes(&mut self, listed: impl IntoIterator<Item = (String, u32)>) {
        self.indexes.clear();
        for (name, index) in listed {
            self.indexes.entry(name).or_insert(index);
        }
    }

    /// Sends a change and waits for its acknowledgement.
    ///
    /// # Errors
    /// [`NetlinkError::Refused`] when the kernel says no, the others when it cannot be asked.
    pub fn change(&mut self, request: &Request) -> Result<(), NetlinkError> {
        self.exchange(request, |_| Ok(()))?;
        Ok(())
    }

    /// As [`Self::change`], for a change that the kernel may be kept from by others: it is sent by a
    /// child process, at the cost of a fork, and waited for no longer than `limit`. The connection
    /// can be used whatever the outcome.
    ///
    /// # Errors
    /// As [`Self::change`]; [`NetlinkError::Stuck`].
    pub fn change_within(
        &mut self,
        request: &Request,
        limit: Duration,
    ) -> Result<(), NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let datagram = request.datagram(self.sequence);
        match self.datagrams.send_within(&datagram, limit) {
            Ok(Outcome::Done(Ok(()))) => self.answer(request, |_| Ok(())).map(drop),
            Ok(Outcome::Done(Err(errno))) => Err(NetlinkError::Transport(errno.into())),
            Ok(Outcome::Stuck { pid }) => Err(NetlinkError::Stuck { pid }),
            Err(error) => Err(NetlinkError::Transport(error)),
        }
    }

    /// Asks for one object and decodes the data message of the answer.
    ///
    /// # Errors
    /// As [`Self::change`]; [`DecodeError::Missing`] when an acknowledgement came without data.
    pub fn get<T>(
        &mut self,
        request: &Request,
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, NetlinkError> {
        let mut found = None;
        let mut data = |body: &[u8]| {
            if found.is_none() {
                found = Some(decode(body)?);
            }
            Ok(())
        };
        match self.exchange(request, &mut data) {
            // An answer that had no room is lost, and finds room when asked for again.
            Err(NetlinkError::Overrun) => self.exchange(request, &mut data)?,
            outcome => outcome?,
        };
        Ok(found.ok_or(DecodeError::Missing("data message"))?)
    }

    /// Asks for a listing and decodes every entry; begun again when it changed under way.
    ///
    /// # Errors
    /// As [`Self::change`]; [`NetlinkError::Unstable`] after eight interrupted tries.
    pub fn list<T>(
        &mut self,
        request: &Request,
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, NetlinkError> {
        let mut last = NetlinkError::Unstable;
        for _ in 0..DUMP_TRIES {
            let mut found = Vec::new();
            let outcome = self.exchange(request, |body| {
                found.push(decode(body)?);
                Ok(())
            });
            match outcome {
                Ok(Completeness::Whole) => return Ok(found),
                Ok(Completeness::Interrupted) => last = NetlinkError::Unstable,
                Ok(Completeness::Overrun) => last = NetlinkError::Overrun,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// The first entry of a listing, if there is one. The rest of it is never made, and the connection ends with it: the
    /// kernel begins no other before a listing has been read to its end.
    ///
    /// # Errors
    /// As [`Self::change`].
    pub fn first<T>(
        mut self,
        request: &Request,
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        self.datagrams
            .send(&request.datagram(self.sequence))
            .map_err(NetlinkError::Transport)?;
        loop {
            self.datagrams.receive(&mut self.buffer).map_err(lost)?;
            for message in Messages(&self.buffer) {
                let message = message?;
                if message.sequence != self.sequence {
                    continue;
                }
                match message.kind {
                    NLMSG_NOOP => {}
                    NLMSG_OVERRUN => return Err(NetlinkError::Overrun),
                    NLMSG_ERROR | NLMSG_DONE => return verdict(&message).map(|()| None),
                    _ => return Ok(Some(decode(message.body)?)),
                }
            }
        }
    }

    /// Whether this kernel has the command `kind` at all.
    ///
    /// An unknown command is refused with a bare EINVAL. A known one reads its attributes first,
    /// so a malformed `u32_attr` makes it answer with an explanation, or with EPERM before that.
    ///
    /// # Errors
    /// As [`Self::change`], refusals apart.
    pub fn knows(&mut self, kind: u16, u32_attr: u16) -> Result<bool, NetlinkError> {
        match self.change(&Request::new(kind).u8(u32_attr, 0)) {
            Err(NetlinkError::Refused(refusal)) => {
                Ok(refusal.errno != Errno::EINVAL || refusal.message.is_some())
            }
            Err(error) => Err(error),
            Ok(()) => Ok(true),
        }
    }

    /// Asks many questions, several in a datagram, and decodes the answer to each.
    ///
    /// # Errors
    /// As [`Self::change`] when the kernel cannot be asked; what it refuses is in the answers.
    pub fn get_all<T>(
        &mut self,
        questions: &[Request],
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Vec<Result<T, NetlinkError>>, NetlinkError> {
        let mut answers = Vec::with_capacity(questions.len());
        for questions in questions.chunks(AT_ONCE) {
            let first = self.sequence.wrapping_add(1);
            let mut datagram = Vec::new();
            for question in questions {
                self.sequence = self.sequence.wrapping_add(1);
                question.put_behind(&mut datagram, self.sequence);
            }
            self.datagrams
                .send(&datagram)
                .map_err(NetlinkError::Transport)?;
            let read = |message: &Message<'_>| match message.kind {
                NLMSG_NOOP => None,
                NLMSG_ERROR => {
                    let missing = || DecodeError::Missing("data message").into();
                    Some(verdict(message).and_then(|()| Err(missing())))
                }
                _ => Some(decode(message.body).map_err(NetlinkError::from)),
            };
            answers.extend(self.answers(first, questions.len(), false, read)?);
        }
        Ok(answers)
    }

    /// What `read` makes of the answers to `count` requests that were numbered from `first` on, in that order; with
    /// `ready`, of those from the first on that have come.
    fn answers<T>(
        &mut self,
        first: u32,
        count: usize,
        ready: bool,
        read: impl Fn(&Message<'_>) -> Option<Result<T, NetlinkError>>,
    ) -> Result<Vec<Result<T, NetlinkError>>, NetlinkError> {
        let mut found: Vec<Option<Result<T, NetlinkError>>> = Vec::new();
        found.resize_with(count, || None);
        while found.iter().any(Option::is_none) {
            let is_there = match ready {
                true => self.datagrams.receive_ready(&mut self.buffer),
                false => self.datagrams.receive(&mut self.buffer).map(|()| true),
            };
            if !is_there.map_err(lost)? {
                break;
            }
            for message in Messages(&self.buffer) {
                let message = message?;
                let at = message.sequence.wrapping_sub(first) as usize;
                if let Some(slot) = found.get_mut(at).filter(|slot| slot.is_none()) {
                    *slot = read(&message);
                }
            }
        }
        Ok(found.into_iter().map_while(|answer| answer).collect())
    }

    fn exchange(
        &mut self,
        request: &Request,
        data: impl FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<Completeness, NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        self.request.clear();
        request.put_behind(&mut self.request, self.sequence);
        self.datagrams
            .send(&self.request)
            .map_err(NetlinkError::Transport)?;
        self.answer(request, data)
    }

    /// Receives the answer to the request that was sent last.
    fn answer(
        &mut self,
        request: &Request,
        mut data: impl FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<Completeness, NetlinkError> {
        let one_message = !request.is_dump() && !request.is_acknowledged();
        let mut state = Completeness::Whole;
        // A bad entry is remembered, and the answer read to its end: the socket is used again.
        let mut malformed = None;
        let mut has_begun = false;
        loop {
            let received = match has_begun && request.is_dump() {
                true => self.datagrams.receive_more(&mut self.buffer),
                false => self.datagrams.receive(&mut self.buffer),
            };
            has_begun = true;
            match received.map_err(lost) {
                // A listing goes on, and the kernel begins no other before its end has been read.
                Err(NetlinkError::Overrun) if request.is_dump() => {
                    state = Completeness::Overrun;
                    continue;
                }
                outcome => outcome?,
            }
            for message in Messages(&self.buffer) {
                let message = message?;
                if message.sequence != self.sequence {
                    continue;
                }
                if message.flags & NLM_F_DUMP_INTR != 0 && state == Completeness::Whole {
                    state = Completeness::Interrupted;
                }
                match message.kind {
                    NLMSG_NOOP => continue,
                    NLMSG_OVERRUN => return Err(NetlinkError::Overrun),
                    NLMSG_ERROR | NLMSG_DONE => verdict(&message)?,
                    _ => {
                        if let Err(error) = data(message.body) {
                            malformed.get_or_insert(error);
                        }
                        if !one_message {
                            continue;
                        }
                    }
                }
                return malformed.map_or(Ok(state), |error: DecodeError| Err(error.into()));
            }
        }
    }
}

/// ENOBUFS: the socket's buffer was full, and the kernel dropped what came.
pub(super) fn lost(error: io::Error) -> NetlinkError {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOBUFS) => NetlinkError::Overrun,
        _ => NetlinkError::Transport(error),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Completeness {
    Whole,
    Interrupted,
    Overrun,
}

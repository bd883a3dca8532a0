//! `Events`: what the kernel announces over a netlink socket.

use super::datagrams::Datagrams;
use super::messages::Messages;
use super::netlink::lost;
use super::netlink_error::NetlinkError;

/// Announcements, as they come; nothing is ever sent.
pub struct Events {
    datagrams: Box<dyn Datagrams>,
    buffer: Vec<u8>,
}

impl Events {
    /// Listens over `datagrams`.
    pub fn new(datagrams: Box<dyn Datagrams>) -> Self {
        Self {
            datagrams,
            buffer: Vec::new(),
        }
    }

    /// Waits for the next datagram of netlink messages: type and body of each.
    ///
    /// # Errors
    /// [`NetlinkError::Overrun`] when some were lost, after which more may come;
    /// [`NetlinkError::Transport`], [`NetlinkError::Malformed`].
    pub fn heard(&mut self) -> Result<Vec<(u16, Vec<u8>)>, NetlinkError> {
        self.wait()?;
        let mut messages = Vec::new();
        for message in Messages(&self.buffer) {
            let message = message?;
            messages.push((message.kind, message.body.to_vec()));
        }
        Ok(messages)
    }

    /// Waits for the next datagram, whatever is in it.
    ///
    /// # Errors
    /// As [`Self::heard`].
    pub fn wait(&mut self) -> Result<&[u8], NetlinkError> {
        self.datagrams.receive(&mut self.buffer).map_err(lost)?;
        Ok(&self.buffer)
    }
}

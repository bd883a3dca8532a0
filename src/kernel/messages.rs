//! `Messages`: the netlink messages of a datagram, and what an error among them says.

use netlink_packet_core::{NLMSG_DONE, NetlinkBuffer};
use nix::errno::Errno;

use super::netlink_error::{NetlinkError, Refusal};
use crate::wire::DecodeError;
use crate::wire::extack::ErrorReply;
use crate::wire::request::HEADER_LEN;

/// One of them.
pub(super) struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
    pub body: &'a [u8],
}

/// Walks the messages of one datagram.
pub(super) struct Messages<'a>(pub &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let bytes = std::mem::take(&mut self.0);
        let Ok(buffer) = NetlinkBuffer::new_checked(bytes) else {
            return Some(Err(DecodeError::Truncated("message header")));
        };
        let length = buffer.length() as usize;
        let Some(body) = bytes.get(HEADER_LEN..length) else {
            return Some(Err(DecodeError::Truncated("message")));
        };
        self.0 = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok(Message {
            kind: buffer.message_type(),
            flags: buffer.flags(),
            sequence: buffer.sequence_number(),
            body,
        }))
    }
}

/// What an NLMSG_ERROR says, or the status that NLMSG_DONE carries: a listing can fail there.
pub(super) fn verdict(message: &Message<'_>) -> Result<(), NetlinkError> {
    if message.kind == NLMSG_DONE && message.body.len() < 4 {
        return Ok(());
    }
    let reply = if message.kind == NLMSG_DONE {
        // struct: i32 status, then TLVs at once; no echoed header in between.
        let mut padded = message.body[..4].to_vec();
        padded.resize(4 + HEADER_LEN, 0);
        padded.extend_from_slice(&message.body[4..]);
        ErrorReply::decode(&padded, message.flags | 0x100)?
    } else {
        ErrorReply::decode(message.body, message.flags)?
    };
    if reply.errno == 0 {
        return Ok(());
    }
    Err(NetlinkError::Refused(Refusal {
        errno: Errno::from_raw(reply.errno),
        message: reply.message,
    }))
}

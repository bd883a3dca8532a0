//! `Request`: a message to the kernel while it is being written.

use netlink_packet_core::{
    Emitable, NLA_F_NESTED, NLA_HEADER_SIZE, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP,
    NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader,
};

/// Bytes of `struct nlmsghdr`.
pub const HEADER_LEN: usize = 16;

/// A message with its flags and attributes; the connection adds the sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Request {
    /// One question or change, answered by data messages if any and then by an acknowledgement.
    pub fn new(kind: u16) -> Self {
        Self::with_flags(kind, NLM_F_REQUEST | NLM_F_ACK)
    }

    /// A change that makes an object, beside others of the same key: an address, a route.
    pub fn appending(kind: u16) -> Self {
        Self {
            kind,
            flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND,
            body: Vec::new(),
        }
    }

    /// A change that makes an object, and fails when it is there.
    pub fn making(kind: u16) -> Self {
        Self {
            kind,
            flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
            body: Vec::new(),
        }
    }

    /// One question, answered by one data message or a refusal; no acknowledgement follows.
    pub fn question(kind: u16) -> Self {
        Self::with_flags(kind, NLM_F_REQUEST)
    }

    /// A listing, ended by `NLMSG_DONE`.
    pub fn dump(kind: u16) -> Self {
        Self::with_flags(kind, NLM_F_REQUEST | NLM_F_DUMP)
    }

    fn with_flags(kind: u16, flags: u16) -> Self {
        // Room for what most questions say: a device and a port.
        let body = Vec::with_capacity(16);
        Self { kind, flags, body }
    }

    /// Whether the answer is a listing.
    pub fn is_dump(&self) -> bool {
        self.flags & NLM_F_DUMP == NLM_F_DUMP
    }

    /// Whether an acknowledgement ends the answer.
    pub fn is_acknowledged(&self) -> bool {
        self.flags & NLM_F_ACK != 0
    }

    /// The type of the message.
    pub fn kind(&self) -> u16 {
        self.kind
    }

    /// What stands behind the message header.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Bytes in front of the attributes, such as `struct ifinfomsg`.
    pub fn fixed(mut self, bytes: &[u8]) -> Self {
        self.body.extend_from_slice(bytes);
        pad(&mut self.body);
        self
    }

    /// One attribute; `value` is at most 65,531 bytes, which every caller's type ensures.
    pub fn bytes(mut self, id: u16, value: &[u8]) -> Self {
        put(&mut self.body, id, value);
        self
    }

    /// An eight-bit attribute.
    pub fn u8(self, id: u16, value: u8) -> Self {
        self.bytes(id, &[value])
    }

    /// A 32-bit attribute in host order.
    pub fn u32(self, id: u16, value: u32) -> Self {
        self.bytes(id, &value.to_ne_bytes())
    }

    /// A 64-bit attribute in host order.
    pub fn u64(self, id: u16, value: u64) -> Self {
        self.bytes(id, &value.to_ne_bytes())
    }

    /// A string attribute with its final NUL, as the kernel's strict parser wants it.
    pub fn text(self, id: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(id, &bytes)
    }

    /// An attribute that holds others, marked `NLA_F_NESTED`, which strict commands demand.
    pub fn nest(mut self, id: u16, inner: impl FnOnce(Request) -> Request) -> Self {
        let inner = inner(Request::new(0)).body;
        put(&mut self.body, id | NLA_F_NESTED, &inner);
        self
    }

    /// The datagram to send.
    pub fn datagram(&self, sequence: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN + self.body.len());
        self.put_behind(&mut bytes, sequence);
        bytes
    }

    /// Puts the message behind others of the same datagram, which end at a multiple of 4.
    pub fn put_behind(&self, datagram: &mut Vec<u8>, sequence: u32) {
        let mut header = NetlinkHeader::default();
        header.length = (HEADER_LEN + self.body.len()) as u32;
        header.message_type = self.kind;
        header.flags = self.flags;
        header.sequence_number = sequence;
        let mut bytes = [0; HEADER_LEN];
        header.emit(&mut bytes);
        datagram.extend_from_slice(&bytes);
        datagram.extend_from_slice(&self.body);
    }
}

fn put(body: &mut Vec<u8>, id: u16, value: &[u8]) {
    let length = u16::try_from(NLA_HEADER_SIZE + value.len()).unwrap_or(u16::MAX);
    body.extend_from_slice(&length.to_ne_bytes());
    body.extend_from_slice(&id.to_ne_bytes());
    body.extend_from_slice(&value[..usize::from(length) - NLA_HEADER_SIZE]);
    pad(body);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Attrs;

    #[test]
    fn attributes_are_aligned_and_read_back() {
        let request = Request::new(0x1402)
            .u32(1, 7)
            .text(2, "mlx5_0")
            .nest(80, |inner| inner.u8(94, 3).u64(83, 5));
        assert_eq!(request.body().len() % 4, 0);
        let attrs = Attrs::new(request.body());
        assert_eq!(attrs.find(1).unwrap().u32(), Some(7));
        assert_eq!(attrs.find(2).unwrap().text(), "mlx5_0");
        let inner = attrs.find(80).unwrap().nested();
        assert_eq!(inner.find(94).unwrap().u8(), Some(3));
        assert_eq!(inner.find(83).unwrap().u64(), Some(5));
    }

    #[test]
    fn an_oversized_value_cannot_break_the_frame() {
        let request = Request::new(1).bytes(5, &vec![1; 70_000]).u32(6, 9);
        assert_eq!(Attrs::new(request.body()).find(6).unwrap().u32(), Some(9));
    }

    #[test]
    fn the_header_carries_length_and_sequence() {
        let bytes = Request::dump(0x1401).datagram(3);
        // strace of `rdma dev`: {nlmsg_len=16, nlmsg_type=0x1401, NLM_F_REQUEST|NLM_F_DUMP}
        assert_eq!(
            bytes,
            [16, 0, 0, 0, 0x01, 0x14, 0x01, 0x03, 3, 0, 0, 0, 0, 0, 0, 0]
        );
    }
}

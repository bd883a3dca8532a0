//! `Attrs`: a walk over the netlink attributes of a message, with typed and checked getters.

use netlink_packet_core::{NLA_HEADER_SIZE, NLA_TYPE_MASK};

/// A message that lacks what its reader needs, or holds it in the wrong size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// An attribute without which the record has no meaning is absent or too short.
    #[error("the kernel's answer has no usable {0}")]
    Missing(&'static str),
    /// The fixed part in front of the attributes is cut off.
    #[error("the kernel's answer ends inside its {0}")]
    Truncated(&'static str),
}

/// One attribute: its number without the flag bits, and its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr<'a> {
    /// `nla_type & NLA_TYPE_MASK`.
    pub id: u16,
    /// The payload without header and padding.
    pub value: &'a [u8],
}

impl<'a> Attr<'a> {
    /// The first byte.
    pub fn u8(self) -> Option<u8> {
        self.value.first().copied()
    }

    /// Two bytes in host order.
    pub fn u16(self) -> Option<u16> {
        Some(u16::from_ne_bytes(*self.value.first_chunk()?))
    }

    /// Four bytes in host order.
    pub fn u32(self) -> Option<u32> {
        Some(u32::from_ne_bytes(*self.value.first_chunk()?))
    }

    /// Four bytes in host order, signed.
    pub fn s32(self) -> Option<i32> {
        Some(i32::from_ne_bytes(*self.value.first_chunk()?))
    }

    /// Eight bytes in host order; the kernel does not align them on x86.
    pub fn u64(self) -> Option<u64> {
        Some(u64::from_ne_bytes(*self.value.first_chunk()?))
    }

    /// The bytes before the first NUL; names may hold anything, so bad UTF-8 is replaced.
    pub fn text(self) -> String {
        let end = self.value.iter().position(|b| *b == 0);
        let bytes = &self.value[..end.unwrap_or(self.value.len())];
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    /// The attributes inside this one.
    pub fn nested(self) -> Attrs<'a> {
        Attrs::new(self.value)
    }
}

/// The attributes in a run of bytes, in order.
///
/// A malformed attribute ends the walk: its length can no longer be trusted, so neither can what
/// lies behind it. The reader then misses what it needs and says so.
#[derive(Debug, Clone, Copy)]
pub struct Attrs<'a>(&'a [u8]);

impl<'a> Attrs<'a> {
    /// Walks `bytes`, which begin with an attribute header.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The first attribute with this number.
    pub fn find(self, id: u16) -> Option<Attr<'a>> {
        let mut attrs = self;
        Iterator::find(&mut attrs, |attr| attr.id == id)
    }
}

impl<'a> Iterator for Attrs<'a> {
    type Item = Attr<'a>;

    fn next(&mut self) -> Option<Attr<'a>> {
        // `struct nlattr` (include/uapi/linux/netlink.h), padded to a multiple of 4.
        let bytes = std::mem::take(&mut self.0);
        let (length, behind) = bytes.split_first_chunk()?;
        let length = usize::from(u16::from_ne_bytes(*length));
        let id = u16::from_ne_bytes(*behind.first_chunk()?) & NLA_TYPE_MASK;
        let value = bytes.get(NLA_HEADER_SIZE..length)?;
        self.0 = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Attr { id, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_tail_ends_the_walk() {
        // id 1 = 7u32, then a header that claims 200 bytes.
        let bytes = [8, 0, 1, 0, 7, 0, 0, 0, 200, 0, 2, 0, 1];
        let found: Vec<Attr> = Attrs::new(&bytes).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].u32(), Some(7));
        // A length below the header's own size must not loop for ever.
        assert_eq!(Attrs::new(&[0, 0, 1, 0]).count(), 0);
    }

    #[test]
    fn short_payloads_are_absent_not_zero() {
        let attr = Attr {
            id: 1,
            value: &[1, 2, 3],
        };
        assert_eq!(
            (attr.u8(), attr.u16(), attr.u32(), attr.u64()),
            (Some(1), Some(0x0201), None, None)
        );
        assert_eq!(Attr { id: 1, value: &[] }.u8(), None);
        assert_eq!(
            Attr {
                id: 1,
                value: b"ab\0cd"
            }
            .text(),
            "ab"
        );
        assert_eq!(
            Attr {
                id: 1,
                value: b"ab"
            }
            .text(),
            "ab"
        );
    }
}

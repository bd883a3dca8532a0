//! `ErrorReply`: the kernel's NLMSG_ERROR with its extended acknowledgement.

use super::attr::{Attrs, DecodeError};
use super::request::HEADER_LEN;

/// `NLM_F_CAPPED` (`uapi/linux/netlink.h`): the request's body is not echoed.
const NLM_F_CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`: attributes follow the echoed request.
const NLM_F_ACK_TLVS: u16 = 0x200;

const NLMSGERR_ATTR_MSG: u16 = 1;
const NLMSGERR_ATTR_OFFS: u16 = 2;
const NLMSGERR_ATTR_MISS_TYPE: u16 = 5;

/// Whether the kernel did what was asked, and what it says about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorReply {
    /// 0, or the errno as a positive number.
    pub errno: i32,
    /// The kernel's own sentence.
    pub message: Option<String>,
    /// Byte offset in the request of the attribute that was refused.
    pub offset: Option<u32>,
    /// Number of an attribute that the request lacks.
    pub missing: Option<u32>,
}

impl ErrorReply {
    /// Reads the part of an NLMSG_ERROR behind the message header; `flags` are that header's.
    pub fn decode(body: &[u8], flags: u16) -> Result<Self, DecodeError> {
        let code = body
            .first_chunk()
            .ok_or(DecodeError::Truncated("error code"))?;
        let mut reply = Self {
            errno: i32::from_ne_bytes(*code).checked_neg().unwrap_or(i32::MAX),
            ..Self::default()
        };
        if flags & NLM_F_ACK_TLVS == 0 {
            return Ok(reply);
        }
        let echoed = match body.get(4..8) {
            Some(length) if flags & NLM_F_CAPPED == 0 => {
                let length = u32::from_ne_bytes([length[0], length[1], length[2], length[3]]);
                (length as usize).max(HEADER_LEN)
            }
            _ => HEADER_LEN,
        };
        // A length that points behind the end simply leaves no attributes.
        let start = echoed
            .checked_add(3)
            .map(|n| (n & !3) + 4)
            .unwrap_or(usize::MAX);
        for attr in Attrs::new(body.get(start..).unwrap_or_default()) {
            match attr.id {
                NLMSGERR_ATTR_MSG => {
                    reply.message = Some(attr.text()).filter(|text| !text.is_empty())
                }
                NLMSGERR_ATTR_OFFS => reply.offset = attr.u32(),
                NLMSGERR_ATTR_MISS_TYPE => reply.missing = attr.u32(),
                _ => {}
            }
        }
        Ok(reply)
    }
}

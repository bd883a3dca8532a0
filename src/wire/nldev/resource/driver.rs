//! `Detail`: what a driver adds to an object, in pairs of key and value.

use crate::wire::Attrs;
use crate::wire::nldev::attr_ids::*;

/// One property under the driver's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The name; drivers may use one twice.
    pub key: String,
    /// Whether the driver wants the number in hexadecimal.
    pub hex: bool,
    /// The value.
    pub value: DetailValue,
}

/// A value of a driver, with all its bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DetailValue {
    /// A word.
    Text(String),
    /// A number that may be below zero.
    Signed(i64),
    /// A number.
    Unsigned(u64),
}

/// Reads `[key][print type, if any][value]` over and over; what is out of turn ends the list.
pub(super) fn decode(attrs: Attrs<'_>) -> Vec<Detail> {
    let mut details = Vec::new();
    let (mut key, mut hex) = (None, false);
    for attr in attrs {
        let Some(name) = key.take() else {
            if attr.id != RDMA_NLDEV_ATTR_DRIVER_STRING {
                return details;
            }
            key = Some(attr.text());
            continue;
        };
        let value = match attr.id {
            RDMA_NLDEV_ATTR_DRIVER_PRINT_TYPE => {
                hex = attr.u8() == Some(1);
                key = Some(name);
                continue;
            }
            RDMA_NLDEV_ATTR_DRIVER_STRING => Some(DetailValue::Text(attr.text())),
            RDMA_NLDEV_ATTR_DRIVER_S32 => attr.s32().map(|n| DetailValue::Signed(n.into())),
            RDMA_NLDEV_ATTR_DRIVER_U32 => attr.u32().map(|n| DetailValue::Unsigned(n.into())),
            RDMA_NLDEV_ATTR_DRIVER_S64 => attr.u64().map(|n| DetailValue::Signed(n.cast_signed())),
            RDMA_NLDEV_ATTR_DRIVER_U64 => attr.u64().map(DetailValue::Unsigned),
            _ => None,
        };
        let Some(value) = value else { return details };
        details.push(Detail {
            key: name,
            hex: std::mem::take(&mut hex),
            value,
        });
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Request;

    #[test]
    fn pairs_with_and_without_a_print_type() {
        let request = Request::new(0)
            .text(RDMA_NLDEV_ATTR_DRIVER_STRING, "odp")
            .text(RDMA_NLDEV_ATTR_DRIVER_STRING, "implicit")
            .text(RDMA_NLDEV_ATTR_DRIVER_STRING, "va")
            .u8(RDMA_NLDEV_ATTR_DRIVER_PRINT_TYPE, 1)
            .u64(RDMA_NLDEV_ATTR_DRIVER_U64, u64::MAX)
            .text(RDMA_NLDEV_ATTR_DRIVER_STRING, "delta")
            .u32(RDMA_NLDEV_ATTR_DRIVER_S32, (-2i32).cast_unsigned())
            .u32(RDMA_NLDEV_ATTR_DRIVER_U32, 7);
        let read = decode(Attrs::new(request.body()));
        let detail = |key: &str, hex, value| Detail {
            key: key.to_owned(),
            hex,
            value,
        };
        assert_eq!(
            read,
            [
                detail("odp", false, DetailValue::Text("implicit".into())),
                detail("va", true, DetailValue::Unsigned(u64::MAX)),
                detail("delta", false, DetailValue::Signed(-2)),
            ]
        );
    }
}

//! `PkeyChild`: an IPoIB interface of a partition, on top of the port's own one.

use super::message::{IFF_UP, IFINFOMSG_LEN, IFLA_IFNAME, IFLA_LINK, IFLA_PARENT_DEV_NAME};
use crate::types::{IfName, PKey};
use crate::wire::{Attrs, DecodeError, Request};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;

const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
/// `uapi/linux/if_link.h`.
const IFLA_IPOIB_PKEY: u16 = 1;

const KIND: &str = "ipoib";

/// What the kernel says of such an interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PkeyChild {
    /// Interface index, 1 or more.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Switched on.
    pub up: bool,
    /// Index of the interface that it stands on.
    pub lower: u32,
    /// The device that both sit on, such as a PCI address (Linux 5.14).
    pub parent: Option<String>,
    /// The partition.
    pub pkey: Option<PKey>,
}

impl PkeyChild {
    /// Reads one RTM_NEWLINK; `None` for an interface of another kind, and for the port's own one.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn decode(body: &[u8]) -> Result<Option<Self>, DecodeError> {
        let fixed: &[u8; IFINFOMSG_LEN] = body
            .first_chunk()
            .ok_or(DecodeError::Truncated("ifinfomsg"))?;
        let flags = u32::from_ne_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
        let mut child = Self {
            index: u32::from_ne_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            up: flags & IFF_UP != 0,
            ..Self::default()
        };
        let mut is_ipoib = false;
        for attr in Attrs::new(&body[IFINFOMSG_LEN..]) {
            match attr.id {
                IFLA_IFNAME => child.name = attr.text(),
                IFLA_LINK => child.lower = attr.u32().unwrap_or_default(),
                IFLA_PARENT_DEV_NAME => child.parent = Some(attr.text()),
                IFLA_LINKINFO => {
                    let kind = attr.nested().find(IFLA_INFO_KIND);
                    is_ipoib = kind.is_some_and(|kind| kind.text() == KIND);
                    let data = attr.nested().find(IFLA_INFO_DATA);
                    let pkey = data.and_then(|data| data.nested().find(IFLA_IPOIB_PKEY));
                    child.pkey = pkey.and_then(|pkey| PKey::new(pkey.u16()?));
                }
                _ => {}
            }
        }
        let stands = child.lower != 0 && child.lower != child.index;
        Ok((is_ipoib && stands).then_some(child))
    }
}

/// Makes an interface of a partition on top of the interface with the index `lower`.
pub fn make(lower: u32, name: &IfName, pkey: PKey) -> Request {
    let data = |data: Request| data.bytes(IFLA_IPOIB_PKEY, &pkey.full().to_ne_bytes());
    Request::making(RTM_NEWLINK)
        .fixed(&[0; IFINFOMSG_LEN])
        .text(IFLA_IFNAME, name.as_str())
        .u32(IFLA_LINK, lower)
        .nest(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_KIND, KIND).nest(IFLA_INFO_DATA, data)
        })
}

/// Removes the interface with this index.
pub fn remove(index: u32) -> Request {
    let mut fixed = [0; IFINFOMSG_LEN];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    Request::new(RTM_DELLINK).fixed(&fixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_asked_for_is_what_is_read() {
        let pkey = PKey::new(0x0001).unwrap();
        let request = make(7, &"eth0.8001".parse().unwrap(), pkey);
        let mut body = request.body().to_vec();
        // As the kernel answers: its own index, and that it is up.
        body[4..8].copy_from_slice(&9u32.to_ne_bytes());
        body[8..12].copy_from_slice(&1u32.to_ne_bytes());
        let child = PkeyChild::decode(&body).unwrap().unwrap();
        assert_eq!((child.index, child.lower, child.up), (9, 7, true));
        assert_eq!(child.name, "eth0.8001");
        assert_eq!(child.pkey, PKey::new(0x8001));
        // The port's own interface is of the kind, and stands on none.
        body[4..8].copy_from_slice(&7u32.to_ne_bytes());
        assert_eq!(PkeyChild::decode(&body).unwrap(), None);
        assert!(PkeyChild::decode(&[0; 15]).is_err());
        assert_eq!(remove(9).body()[4..8], 9u32.to_ne_bytes());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = PkeyChild::decode(&bytes);
        }
    }
}

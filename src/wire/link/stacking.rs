//! `Stacking`: whether an interface is up, and which others it belongs to or sits on.

use super::message::{IFF_UP, IFINFOMSG_LEN, IFLA_IFNAME, IFLA_LINK};
use crate::wire::{Attrs, DecodeError};

const IFLA_MASTER: u16 = 10;
const IFLA_LINK_NETNSID: u16 = 37;

/// The place of an interface among the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stacking {
    /// Interface index, 1 or more.
    pub index: u32,
    /// Name.
    pub name: String,
    /// An administrator, or a program, has switched it on.
    pub up: bool,
    /// Index of the bond, bridge or the like that it belongs to.
    pub master: Option<u32>,
    /// Index of the interface that it sits on, in the same namespace: a VLAN's, a P_Key child's.
    pub lower: Option<u32>,
}

impl Stacking {
    /// Reads one RTM_NEWLINK.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fixed: &[u8; IFINFOMSG_LEN] = body
            .first_chunk()
            .ok_or(DecodeError::Truncated("ifinfomsg"))?;
        let flags = u32::from_ne_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
        let mut stacking = Self {
            index: u32::from_ne_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            up: flags & IFF_UP != 0,
            ..Self::default()
        };
        let mut elsewhere = false;
        for attr in Attrs::new(&body[IFINFOMSG_LEN..]) {
            match attr.id {
                IFLA_IFNAME => stacking.name = attr.text(),
                IFLA_MASTER => stacking.master = attr.u32(),
                // An interface that sits on none says its own index, or 0.
                IFLA_LINK => {
                    let known = |lower: &u32| *lower != 0 && *lower != stacking.index;
                    stacking.lower = attr.u32().filter(known);
                }
                IFLA_LINK_NETNSID => elsewhere = true,
                _ => {}
            }
        }
        if elsewhere {
            stacking.lower = None;
        }
        Ok(stacking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Request;
    use proptest::prelude::*;

    fn message(index: u32, flags: u32, attrs: &[(u16, u32)]) -> Vec<u8> {
        let mut fixed = [0; IFINFOMSG_LEN];
        fixed[4..8].copy_from_slice(&index.to_ne_bytes());
        fixed[8..12].copy_from_slice(&flags.to_ne_bytes());
        let mut request = Request::new(0).fixed(&fixed).text(IFLA_IFNAME, "eth0.5");
        for (id, value) in attrs {
            request = request.u32(*id, *value);
        }
        request.body().to_vec()
    }

    #[test]
    fn above_and_below() {
        let vlan = Stacking::decode(&message(9, 0x1003, &[(IFLA_LINK, 4)])).unwrap();
        assert_eq!((vlan.name.as_str(), vlan.up), ("eth0.5", true));
        assert_eq!((vlan.lower, vlan.master), (Some(4), None));
        let slave = Stacking::decode(&message(4, 0x1002, &[(IFLA_MASTER, 7), (IFLA_LINK, 4)]));
        let slave = slave.unwrap();
        assert_eq!(
            (slave.up, slave.lower, slave.master),
            (false, None, Some(7))
        );
        let veth = [(IFLA_LINK, 4), (IFLA_LINK_NETNSID, 0)];
        let veth = Stacking::decode(&message(9, 0, &veth)).unwrap();
        assert_eq!(veth.lower, None);
        assert!(Stacking::decode(&[0; 15]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Stacking::decode(&bytes);
        }
    }
}

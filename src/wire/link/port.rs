//! `Port`: of an RTM_NEWLINK no more than what tells which port an InfiniBand interface stands on.

use super::message::{IFINFOMSG_LEN, IFLA_ADDRESS, IFLA_PARENT_DEV_NAME};
use crate::types::{Guid, PciAddr};
use crate::wire::{Attrs, DecodeError};

/// `ARPHRD_INFINIBAND` (`uapi/linux/if_arp.h`).
const ARPHRD_INFINIBAND: u16 = 32;

/// The port of an InfiniBand interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// The function below it (Linux 5.14).
    pub function: PciAddr,
    /// Its GUID, the last 8 bytes of the hardware address in network byte order.
    pub guid: Option<Guid>,
}

impl Port {
    /// Reads one RTM_NEWLINK; none for an interface of another kind, or on something else than a PCI function.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn decode(body: &[u8]) -> Result<Option<Self>, DecodeError> {
        let fixed: &[u8; IFINFOMSG_LEN] = body
            .first_chunk()
            .ok_or(DecodeError::Truncated("ifinfomsg"))?;
        if u16::from_ne_bytes([fixed[2], fixed[3]]) != ARPHRD_INFINIBAND {
            return Ok(None);
        }
        let (mut function, mut guid) = (None, None);
        for attr in Attrs::new(&body[IFINFOMSG_LEN..]) {
            match attr.id {
                IFLA_ADDRESS => guid = attr.value.last_chunk().copied().map(Guid::from_bytes),
                IFLA_PARENT_DEV_NAME => function = attr.text().parse().ok(),
                _ => {}
            }
        }
        Ok(function.map(|function| Self { function, guid }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Request;

    #[test]
    fn a_function_and_the_end_of_an_address() {
        let link = |hardware: u8, parent: &str, address: &[u8]| {
            let mut fixed = [0; IFINFOMSG_LEN];
            fixed[2] = hardware;
            let link = Request::new(0).fixed(&fixed).bytes(IFLA_ADDRESS, address);
            let link = link.text(IFLA_PARENT_DEV_NAME, parent);
            Port::decode(link.body()).unwrap()
        };
        let address = [&[9; 12][..], &[2, 0, 0, 0, 0, 0, 0, 7]].concat();
        let port = |guid| Port {
            function: "0000:01:10.2".parse().unwrap(),
            guid,
        };
        let guid = Guid::new(0x0200_0000_0000_0007);
        assert_eq!(link(32, "0000:01:10.2", &address), Some(port(Some(guid))));
        assert_eq!(link(32, "0000:01:10.2", &address[16..]), Some(port(None)));
        assert_eq!(link(32, "virtio0", &address), None);
        assert_eq!(link(1, "0000:01:10.2", &address), None);
        assert!(Port::decode(&[0; 15]).is_err());
    }
}

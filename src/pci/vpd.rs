//! The serial number that a card's maker wrote into its vital product data.
//!
//! Reading it asks the card itself, word by word, which takes some cards a second: it is for those
//! who need it.

use super::function::folder;
use crate::kernel::Sysfs;
use crate::types::PciAddr;

/// The kernel gives out no more (`PCI_VPD_MAX_SIZE`).
const MOST: u64 = 32 * 1024;
/// Large resources (`PCI_VPD_LRDT_*`): the tag that has keywords to read, and the end.
const READ_ONLY: u8 = 0x90;
const END: u8 = 0x78;
const LARGE: u8 = 0x80;
const SERIAL: &[u8] = b"SN";

/// The serial number; `None` for a card without, and for callers other than root.
pub fn serial(sysfs: &Sysfs, address: PciAddr) -> Option<String> {
    let data = sysfs.bytes(folder(address).join("vpd"), MOST).ok()?;
    let number = keyword(read_only(&data)?, SERIAL)?;
    let number = String::from_utf8_lossy(number);
    let number = number.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!number.is_empty()).then(|| number.to_owned())
}

fn read_only(mut data: &[u8]) -> Option<&[u8]> {
    loop {
        let tag = *data.first()?;
        if tag & LARGE == 0 {
            if tag == END {
                return None;
            }
            // A small resource has its length in its tag.
            data = data.get(1 + usize::from(tag & 7)..)?;
            continue;
        }
        let length = u16::from_le_bytes([*data.get(1)?, *data.get(2)?]);
        let body = data.get(3..)?;
        let length = usize::from(length);
        if tag == READ_ONLY {
            return body.get(..length).or(Some(body));
        }
        data = body.get(length..)?;
    }
}

/// Two letters, a length, and so many bytes, again and again.
fn keyword<'a>(mut fields: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    loop {
        let name = fields.get(..2)?;
        let length = usize::from(*fields.get(2)?);
        let value = fields.get(3..3 + length)?;
        if name == wanted {
            return Some(value);
        }
        fields = fields.get(3 + length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use proptest::prelude::*;

    fn data(fields: &[u8]) -> Vec<u8> {
        let mut data = vec![0x82, 4, 0];
        data.extend(b"Card");
        data.push(READ_ONLY);
        data.extend((fields.len() as u16).to_le_bytes());
        data.extend(fields);
        data.push(END);
        data
    }

    #[test]
    fn among_other_keywords() {
        let file = "sys/bus/pci/devices/0000:3b:00.0/vpd";
        let machine = Machine::new().file(file, data(b"PN\x02ABSN\x0a MT2042X1 V0\x01x"));
        let of =
            |machine: &Machine| serial(machine.host().sysfs(), "0000:3b:00.0".parse().unwrap());
        assert_eq!(of(&machine).as_deref(), Some("MT2042X1"));
        for odd in [&b"PN\x02AB"[..], b"SN\x00", b"SN\xffabc", b""] {
            assert_eq!(of(&Machine::new().file(file, data(odd))), None);
        }
        assert_eq!(of(&Machine::new()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(fields) = read_only(&data) {
                let _ = keyword(fields, SERIAL);
            }
        }
    }
}

//! GUIDs of VFs that follow from the PF's own: the same at every boot, and different everywhere.

use sha2::{Digest, Sha256};

use crate::types::Guid;

/// Says that an address was given locally (EUI-64, the second bit of the first byte).
const LOCAL: u64 = 0x0200_0000_0000_0000;

/// Fillers that vendors put in the middle of an EUI-48 to make a GUID of it.
const FILLERS: [u64; 2] = [0x0300, 0xfffe];

/// The GUID of the VF with this index on the PF with the GUID `pf`. `site` keeps two fabrics
/// apart that may have adapters of the same number; empty for one.
///
/// A GUID with a filler keeps its six other bytes, with the index plus one in the filler's place:
/// `b8:59:9f:03:00:f9:8f:86` gives VF 5 `ba:59:9f:00:06:f9:8f:86`. Other GUIDs, and any with a
/// site, give `06`, forty bits of a hash, and the index. `None` beyond 65,532 VFs, which no PF has.
pub fn derived(pf: Guid, index: u16, site: &str) -> Option<Guid> {
    outside(pf, index, site, |_| false)
}

/// As [`derived`], where no GUID is taken that somebody else hands out: one that would be among
/// those is made with a hash, and there is none if that is among them too.
pub fn outside(
    pf: Guid,
    index: u16,
    site: &str,
    is_reserved: impl Fn(Guid) -> bool,
) -> Option<Guid> {
    let value = pf.value();
    let filler = (value >> 24) & 0xffff;
    // A number that is a filler itself would look like a GUID from a factory.
    let mut number = u64::from(index) + 1;
    if number >= FILLERS[0] {
        number += 1;
    }
    if number >= FILLERS[1] {
        return None;
    }
    if FILLERS.contains(&filler) && value & LOCAL == 0 && site.is_empty() {
        let kept = Guid::new((value & !(0xffff << 24)) | LOCAL | (number << 24));
        if !is_reserved(kept) {
            return Some(kept);
        }
    }
    let mut hash = Sha256::new();
    hash.update(value.to_be_bytes());
    hash.update(site.as_bytes());
    let hash = hash.finalize();
    let mut bytes = [0x06, 0, 0, 0, 0, 0, 0, 0];
    bytes[1..6].copy_from_slice(&hash[..5]);
    bytes[6..].copy_from_slice(&(number as u16).to_be_bytes());
    Some(Guid::from_bytes(bytes)).filter(|guid| !is_reserved(*guid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn of(pf: &str, index: u16, site: &str) -> String {
        derived(pf.parse().unwrap(), index, site)
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_serial_number_stays_readable() {
        let pf = "b8:59:9f:03:00:f9:8f:86";
        assert_eq!(of(pf, 0, ""), "ba:59:9f:00:01:f9:8f:86");
        assert_eq!(of(pf, 5, ""), "ba:59:9f:00:06:f9:8f:86");
        assert_eq!(of(pf, 0x2fe, ""), "ba:59:9f:02:ff:f9:8f:86");
        assert_eq!(of(pf, 0x2ff, ""), "ba:59:9f:03:01:f9:8f:86");
        assert_eq!(
            of("00:02:c9:ff:fe:12:34:56", 1, ""),
            "02:02:c9:00:02:12:34:56"
        );
    }

    #[test]
    fn others_are_hashed() {
        // Fixed for ever: subnet managers have them in their configurations.
        let odd = of("02:00:00:03:00:00:00:01", 0, "");
        assert_eq!(odd, "06:72:e2:60:ec:13:00:01");
        let pf = "b8:59:9f:03:00:f9:8f:86";
        assert_eq!(of(pf, 0, "a"), "06:b3:c4:75:a0:a5:00:01");
        assert_eq!(of(pf, 5, "fabric-a"), "06:e4:71:4d:8f:ec:00:06");
    }

    #[test]
    fn what_others_hand_out_is_not_taken() {
        // The pool that ib-kubernetes has unless told otherwise.
        let pool = |guid: Guid| guid.value() >> 56 == 0x02;
        let pf = "00:02:c9:03:00:12:34:56".parse().unwrap();
        let plain = derived(pf, 1, "").unwrap();
        assert!(pool(plain));
        let other = outside(pf, 1, "", pool).unwrap();
        assert_eq!(other.value() >> 56, 0x06);
        assert_eq!(outside(pf, 1, "", |_| true), None);
        let far = "b8:59:9f:03:00:f9:8f:86".parse().unwrap();
        assert_eq!(outside(far, 1, "", pool), derived(far, 1, ""));
    }

    #[test]
    fn no_two_are_the_same_and_none_is_a_groups() {
        let mut seen = BTreeSet::new();
        for pf in [
            "b8:59:9f:03:00:f9:8f:86",
            "b8:59:9f:03:00:f9:8f:87",
            "11:22:33:44:55:66:77:88",
        ] {
            for index in 0..2000 {
                let guid = derived(pf.parse().unwrap(), index, "").unwrap();
                assert!(guid.is_assignable());
                assert!(seen.insert(guid), "{guid}");
                if !pf.starts_with("11") {
                    assert_eq!(guid.value() >> 56 & 1, 0);
                }
            }
        }
        assert_eq!(
            derived("b8:59:9f:03:00:f9:8f:86".parse().unwrap(), u16::MAX, ""),
            None
        );
    }
}

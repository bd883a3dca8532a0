//! MAC addresses of VFs that follow from the PF's own: the same at every boot.

use sha2::{Digest, Sha256};

use crate::types::Mac;

/// Bits of the index: 1,024 VFs.
const INDEX_BITS: u32 = 10;
/// Bits of the hash: with the index and the two flags they fill the 48.
const HASH_BITS: u32 = 36;

/// Says that an address was given locally, and to one (IEEE 802, the two lowest bits of the first
/// byte).
const LOCAL: u64 = 0x02;

/// The address of the VF with this index on the PF with the permanent address `pf`. `site` keeps
/// two fabrics apart; empty for one. `None` beyond 1,024 VFs.
///
/// The six upper bits of the first byte and the next thirty are a hash, the last ten the index:
/// two PFs of a thousand meet with a probability of 7 in a million.
pub fn derived(pf: Mac, index: u16, site: &str) -> Option<Mac> {
    if index >> INDEX_BITS > 0 {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(pf.bytes());
    hash.update(site.as_bytes());
    let hash = hash.finalize();
    let head = hash.iter().take(8);
    let head = head.fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
    let value = (head >> (64 - HASH_BITS)) << INDEX_BITS | u64::from(index);
    // 46 bits: six go into the first byte, above its flags.
    let (first, rest) = (value >> 40, value & 0xff_ffff_ffff);
    Some(Mac::from_value((first << 2 | LOCAL) << 40 | rest))
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
    fn the_same_at_every_boot() {
        // Fixed for ever: switches and subnet managers know them.
        let pf = "b8:59:9f:f9:8f:86";
        assert_eq!(of(pf, 0, ""), "8e:32:d9:4c:18:00");
        assert_eq!(of(pf, 255, ""), "8e:32:d9:4c:18:ff");
        assert_eq!(of(pf, 0, "a"), "96:65:1f:08:1c:00");
    }

    #[test]
    fn local_and_for_one_and_no_two_the_same() {
        let mut seen = BTreeSet::new();
        for pf in ["b8:59:9f:f9:8f:86", "b8:59:9f:f9:8f:87"] {
            let pf = pf.parse().unwrap();
            for index in 0..1024 {
                let mac = derived(pf, index, "").unwrap();
                assert_eq!(mac.bytes()[0] & 3, 2, "{mac}");
                assert!(seen.insert(mac), "{mac}");
            }
            assert_eq!(derived(pf, 1024, ""), None);
        }
    }
}

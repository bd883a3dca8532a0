//! The interrupt vectors of a function: the size of its MSI-X table, from its configuration space.
//!
//! A PF whose driver can (`sriov_set_msix_vec_count`) shares a pool of them out among its VFs; what
//! a VF got is the size of its table (`Documentation/ABI/testing/sysfs-bus-pci`).

use super::function::folder;
use crate::kernel::{Sysfs, SysfsError};
use crate::types::PciAddr;

/// The part of configuration space that capabilities of the first kind lie in.
const SPACE: u64 = 256;
/// `PCI_STATUS`, and in it `PCI_STATUS_CAP_LIST` (`uapi/linux/pci_regs.h`).
const STATUS: usize = 0x06;
const HAS_LIST: u8 = 0x10;
/// `PCI_CAPABILITY_LIST`.
const FIRST: usize = 0x34;
/// `PCI_CAP_ID_MSIX`.
const MSIX: u8 = 0x11;
/// More capabilities do not fit, but a broken list may go round.
const MOST: usize = 48;

/// How many vectors a function has; `None` without MSI-X, and for callers other than root, who
/// may read the head of the configuration space alone.
///
/// # Errors
/// [`SysfsError`].
pub fn vectors(sysfs: &Sysfs, address: PciAddr) -> Result<Option<u16>, SysfsError> {
    match sysfs.bytes(folder(address).join("config"), SPACE) {
        Ok(space) => Ok(table_size(&space)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

fn table_size(space: &[u8]) -> Option<u16> {
    if space.get(STATUS)? & HAS_LIST == 0 {
        return None;
    }
    let mut at = usize::from(*space.get(FIRST)? & !3);
    for _ in 0..MOST {
        if at < 0x40 {
            return None;
        }
        if *space.get(at)? == MSIX {
            let control = [*space.get(at + 2)?, *space.get(at + 3)?];
            // PCI_MSIX_FLAGS_QSIZE: one less than there are.
            return Some((u16::from_le_bytes(control) & 0x7ff) + 1);
        }
        at = usize::from(*space.get(at + 1)? & !3);
    }
    None
}

/// A configuration space with this many vectors, for tests.
#[cfg(test)]
pub fn space(vectors: u16) -> Vec<u8> {
    let mut space = vec![0; 64];
    space[STATUS] = HAS_LIST;
    space[FIRST] = 0x40;
    space.extend([0x10, 0x50, 0, 0]);
    space.resize(0x50, 0);
    space.extend([MSIX, 0]);
    space.extend(((vectors - 1) | 0x8000).to_le_bytes());
    space
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use proptest::prelude::*;

    #[test]
    fn behind_other_capabilities() {
        let machine = Machine::new().file("sys/bus/pci/devices/0000:01:10.0/config", space(12));
        let of = |address: &str| vectors(machine.host().sysfs(), address.parse().unwrap()).unwrap();
        assert_eq!(of("0000:01:10.0"), Some(12));
        assert_eq!(of("0000:01:10.1"), None);
        assert_eq!(table_size(&space(2048)), Some(2048));
        // What others than root may read.
        assert_eq!(table_size(&space(12)[..64]), None);
        let mut none = space(12);
        none[0x41] = 0;
        assert_eq!(table_size(&none), None);
        none[0x41] = 0x40;
        assert_eq!(table_size(&none), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(space in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = table_size(&space);
        }
    }
}

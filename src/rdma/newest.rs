//! The index of the newest RDMA device that was seen: others are not far before it.
//!
//! The kernel counts indices up with every device that a driver makes (`assign_name`,
//! `drivers/infiniband/core/device.c`), and has no look-up by name. The number is the content of the node's lock file, which
//! goes with the boot as indices do, and which Go's plugin locks and never reads. It may be wrong: who goes by it asks the
//! kernel which device is there.

use super::lease::locks;
use crate::kernel::{Host, file};
use crate::wire::nldev::device::Device;

/// Digits of the largest number and the end of the line.
const LENGTH: usize = 11;

/// What was noted last; `None` before anything was.
pub fn read(host: &Host) -> Option<u32> {
    let content = file::read_regular(&host.path(locks::NODE), LENGTH as u64).ok()??;
    str::from_utf8(&content).ok()?.trim().parse().ok()
}

/// Notes the newest one of `devices`. Where that cannot be done the next one who looks for a device lists all.
pub fn note(host: &Host, devices: &[Device]) {
    let newest = devices.iter().map(|device| device.index).max();
    if let Some(newest) = newest {
        // Of one length, so that nothing of the number before is left.
        let line = format!("{newest:>width$}\n", width = LENGTH - 1);
        let _ = file::overwrite(&host.path(locks::NODE), line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    fn devices(indices: &[u32]) -> Vec<Device> {
        let device = |index: &u32| Device {
            index: *index,
            ..Device::default()
        };
        indices.iter().map(device).collect()
    }

    #[test]
    fn a_number_in_the_lock_file() {
        let machine = Machine::new().file("var/run/cni/ib-sriov/cni.lock", "");
        let host = machine.host();
        assert_eq!(read(&host), None);
        for (indices, newest) in [(&[7, 300][..], 300), (&[u32::MAX], u32::MAX), (&[0], 0)] {
            note(&host, &devices(indices));
            note(&host, &[]);
            assert_eq!(read(&host), Some(newest));
        }
        for strange in ["x", "-1", "99999999999", "\u{fffd}"] {
            let machine = Machine::new().file("var/run/cni/ib-sriov/cni.lock", strange);
            assert_eq!(read(&machine.host()), None, "{strange}");
        }
    }

    #[test]
    fn no_file_is_made_for_it() {
        let machine = Machine::new();
        note(&machine.host(), &devices(&[5]));
        assert_eq!(read(&machine.host()), None);
        assert!(!machine.path("var/run/cni/ib-sriov/cni.lock").exists());
    }
}

//! Why a PF has not the number of VFs it should have, and what to do about it.

use super::{AS_ROOT, Advice, Explanation, strerror};
use crate::kernel::bounded::BoundedError;
use crate::sriov::count::{CountError, Why};
use crate::types::PciAddr;

/// Mellanox, now NVIDIA: whose firmware `mstconfig` sets.
const MELLANOX: u16 = 0x15b3;

/// Explains it; `vendor` is the PF's.
pub fn explain(error: &CountError, vendor: Option<u16>) -> Explanation {
    let headline = match error {
        CountError::Refused { refusal, .. } => format!("error: {}", strerror(refusal.errno)),
        other => other.to_string(),
    };
    let (cause, cure) = match error {
        CountError::TooMany { pf, wanted, .. } => (
            Some("sriov_totalvfs says so: the firmware of the adapter offers no more".to_owned()),
            Some(firmware(*pf, *wanted, vendor)),
        ),
        CountError::Refused {
            pf, wanted, why, ..
        } => refused(error, *pf, *wanted, why, vendor),
        CountError::Other { pf, wanted, .. } => (
            Some(
                "the driver of the PF did not do all of it, and says why in the kernel log"
                    .to_owned(),
            ),
            Some(format!("dmesg | grep {pf}; {}", again(*pf, *wanted))),
        ),
        CountError::Write(error) => bounded(error),
        CountError::Gone { .. } | CountError::Sysfs(_) => (None, None),
    };
    Explanation {
        headline,
        cause,
        cure,
    }
}

/// A write that does not come back.
pub(super) fn bounded(error: &BoundedError) -> Advice {
    match error {
        BoundedError::Stuck { pid, .. } => (
            Some("the kernel waits for the driver, or for whoever has a VF open; it goes on by itself when that ends, and what was asked for is then done".to_owned()),
            Some(format!(
                "cat /proc/{pid}/stack, to see what it waits for; --timeout SECONDS gives it longer"
            )),
        ),
        BoundedError::Refused(_) | BoundedError::NoChild { .. } => (None, None),
    }
}

/// The command that was given.
fn again(pf: PciAddr, wanted: u16) -> String {
    match wanted {
        0 => format!("rdmactl vf destroy {pf}"),
        wanted => format!("rdmactl vf create {pf} {wanted}"),
    }
}

fn firmware(pf: PciAddr, wanted: u16, vendor: Option<u16>) -> String {
    match vendor {
        Some(MELLANOX) => {
            format!("mstconfig -d {pf} set SRIOV_EN=1 NUM_OF_VFS={wanted}, then reboot")
        }
        _ => "raise the number of VFs in the settings of the adapter's firmware, then reboot"
            .to_owned(),
    }
}

fn refused(error: &CountError, pf: PciAddr, wanted: u16, why: &Why, vendor: Option<u16>) -> Advice {
    let again = again(pf, wanted);
    let (cause, cure) = match why {
        Why::NotPermitted => (
            "only root may change the number of VFs, and not where /sys is read-only, as in containers".to_owned(),
            AS_ROOT.to_owned(),
        ),
        Why::Busy => (
            format!("somebody else gave {pf} VFs at the same time"),
            format!("rdmactl vf show {pf}; {again}"),
        ),
        Why::NotPf => (
            format!("{pf} can have no VFs: SR-IOV is off in its firmware or in the BIOS"),
            firmware(pf, wanted.max(1), vendor),
        ),
        Why::NoDriver => (
            format!("no driver is bound to {pf}, and it is the PF's driver that makes VFs"),
            format!("echo {pf} > /sys/bus/pci/drivers_probe; {again}"),
        ),
        Why::Unable(driver) => (
            format!("{driver}, the driver of {pf}, cannot make VFs"),
            format!("bind {pf} to the adapter's own driver; {again}"),
        ),
        Why::NoRoom => (
            format!("the machine has not enough address space or bus numbers left for {wanted} VFs of {pf}"),
            "switch SR-IOV and \"above 4G decoding\" on in the BIOS, or boot with pci=realloc; or ask for fewer VFs".to_owned(),
        ),
        Why::NoVectors => (
            format!("interrupt vectors run out at {wanted} VFs of {pf}"),
            "ask for fewer VFs, or unload drivers that take many vectors, such as irdma".to_owned(),
        ),
        Why::Assigned => (
            format!("VFs of {pf} are assigned to guests, says its driver"),
            format!("end those guests; {again}"),
        ),
        Why::BadCapability => (
            format!("the SR-IOV capability of {pf} is not in order"),
            "update the firmware of the adapter; the kernel log says more (dmesg)".to_owned(),
        ),
        Why::BadNumber => (
            format!("the adapter does not take the number {wanted}, or its SR-IOV settings do not fit together"),
            "ask for fewer VFs, or update the firmware of the adapter; the kernel log says more (dmesg)".to_owned(),
        ),
        Why::TooMany => (
            format!("{pf} offers fewer than {wanted} VFs now"),
            firmware(pf, wanted, vendor),
        ),
        Why::NotSupported => (
            format!("the driver of {pf} makes no VFs in the mode it is in"),
            format!("dmesg | grep {pf}"),
        ),
        Why::Other => (error.to_string(), format!("dmesg | grep {pf}")),
    };
    (Some(cause), Some(cure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SysfsError;
    use nix::errno::Errno;
    use std::time::Duration;

    fn pf() -> PciAddr {
        "0000:01:00.0".parse().unwrap()
    }

    #[test]
    fn every_reason_has_a_remedy() {
        for why in [
            Why::NotPermitted,
            Why::Busy,
            Why::NotPf,
            Why::NoDriver,
            Why::Unable("vfio-pci".to_owned()),
            Why::NoRoom,
            Why::NoVectors,
            Why::Assigned,
            Why::BadCapability,
            Why::BadNumber,
            Why::TooMany,
            Why::NotSupported,
            Why::Other,
        ] {
            let refusal = SysfsError {
                verb: "write",
                path: "/sys/x".into(),
                errno: Errno::ENOSPC,
            };
            let error = CountError::Refused {
                pf: pf(),
                wanted: 12,
                why: why.clone(),
                refusal,
            };
            let told = explain(&error, None);
            assert_eq!(told.headline, "error: No space left on device");
            assert!(told.cause.is_some_and(|cause| !cause.is_empty()), "{why:?}");
            assert!(told.cure.is_some_and(|cure| !cure.is_empty()), "{why:?}");
        }
    }

    #[test]
    fn the_number_and_the_tool() {
        let error = CountError::TooMany {
            pf: pf(),
            wanted: 12,
            total: 7,
        };
        let told = explain(&error, Some(MELLANOX));
        assert_eq!(
            told.headline,
            "0000:01:00.0 offers 7 VFs, and 12 are wanted"
        );
        assert_eq!(
            told.cure.unwrap(),
            "mstconfig -d 0000:01:00.0 set SRIOV_EN=1 NUM_OF_VFS=12, then reboot"
        );
        assert!(
            explain(&error, Some(0x8086))
                .cure
                .unwrap()
                .contains("firmware")
        );
        let partial = CountError::Other {
            pf: pf(),
            wanted: 12,
            enabled: 5,
            undone: true,
        };
        assert_eq!(
            explain(&partial, None).headline,
            "12 VFs of 0000:01:00.0 were requested, and 5 were made; they were removed again"
        );
        let stuck = CountError::Write(BoundedError::Stuck {
            path: "/sys/x".into(),
            value: "7".to_owned(),
            pid: 99,
            limit: Duration::from_secs(2),
        });
        let told = explain(&stuck, None);
        assert_eq!(
            told.headline,
            "writing 7 to /sys/x has not come back after 2 s; process 99 waits in the kernel"
        );
        assert!(told.cure.unwrap().contains("/proc/99/stack"));
    }
}

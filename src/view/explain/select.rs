//! Why a word selects no PF or no VF, and what does.

use super::Explanation;
use crate::sriov::selector::SelectError;

/// Explains it.
pub fn explain(error: &SelectError) -> Explanation {
    let (cause, cure) = match error {
        SelectError::Unknown { .. } => (
            "a PF is named by its interface, its RDMA device or its PCI address; a VF likewise, or as PF/INDEX",
            "rdmactl --all-netns vf show".to_owned(),
        ),
        SelectError::Ambiguous { netdev, rdma, .. } => (
            "the name means two functions",
            format!("write the PCI address: {netdev} or {rdma}"),
        ),
        SelectError::NotPf { .. } => (
            "SR-IOV is off in its firmware or in the BIOS, or the device has none",
            "rdmactl vf show".to_owned(),
        ),
        SelectError::IsVf { pf, .. } => ("a PF is wanted here", format!("write {pf}")),
        SelectError::IsPf { pf, vfs, .. } => match vfs {
            0 => (
                "a VF is wanted here, and it has none",
                format!("rdmactl vf create {pf} 1"),
            ),
            _ => ("a VF is wanted here", format!("write {pf}/0")),
        },
        SelectError::NoVf {
            pf, vfs, total_vfs, ..
        } => {
            let cause = match vfs {
                0 => format!("it has none now, and can have {total_vfs}"),
                1 => "it has VF 0 only".to_owned(),
                vfs => format!("it has VFs 0 to {}", vfs - 1),
            };
            return Explanation {
                headline: error.to_string(),
                cause: Some(cause),
                cure: Some(format!("rdmactl vf show {pf}")),
            };
        }
        SelectError::Sysfs(_) => {
            return Explanation {
                headline: error.to_string(),
                cause: None,
                cure: None,
            };
        }
    };
    Explanation {
        headline: error.to_string(),
        cause: Some(cause.to_owned()),
        cure: Some(cure),
    }
}

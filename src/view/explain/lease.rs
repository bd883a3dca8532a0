//! Why a device could not be lent or brought home, where neither kernel nor namespace says it.

use super::Explanation;
use crate::kernel::LockError;
use crate::rdma::lease::LeaseError;

/// Explains an error of a lease.
pub fn lease(error: &LeaseError) -> Explanation {
    let (cause, cure) = match error {
        LeaseError::NotHome { .. } => (
            Some(
                "it is being torn down, or nothing but a socket keeps it; the kernel brings the device home when it ends",
            ),
            Some("rdmactl dev reclaim, a little later"),
        ),
        LeaseError::Lock(LockError::Busy { .. }) => (
            Some("a CNI plugin or another reclaim works on the device"),
            Some("rdmactl dev reclaim, when it has ended"),
        ),
        LeaseError::Lost { .. } => (
            Some("somebody else moved it at the same time, or its driver was unbound"),
            Some("rdmactl dev show --all-netns"),
        ),
        _ => (None, None),
    };
    Explanation {
        headline: format!("error: {error}"),
        cause: cause.map(str::to_owned),
        cure: cure.map(str::to_owned),
    }
}

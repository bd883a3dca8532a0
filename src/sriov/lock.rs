//! The lock of a PF: one at a time changes how many VFs it has, and their drivers.

use std::time::Duration;

use crate::kernel::lock::Lifetime;
use crate::kernel::{Host, Lock, LockError};
use crate::types::PciAddr;

const PFS: &str = "/run/rdmactl/pf";

/// Keeps everybody else of this program from changing the VFs of a PF.
///
/// # Errors
/// [`LockError`].
pub fn pf(host: &Host, address: PciAddr, limit: Duration) -> Result<Lock, LockError> {
    let path = format!("{PFS}/{address}.lock");
    Lock::acquire(host, &path, limit, Lifetime::Removed)
}

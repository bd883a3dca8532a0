//! Counters of memory regions.

use nix::errno::Errno;

use crate::kernel::Conn;
use crate::rdma::device;
use crate::rdma::error::RdmaError;
use crate::wire::nldev::device::Device;
use crate::wire::nldev::statistic::memory_region::{self as wire, MrCounters};

/// The memory regions of one device that its driver counts for; empty when the device is gone.
///
/// # Errors
/// [`RdmaError::Refused`], [`RdmaError::Netlink`].
pub fn list(conn: &mut Conn, device: &Device) -> Result<Vec<MrCounters>, RdmaError> {
    match conn.list(&wire::dump(device.index), MrCounters::decode_all) {
        Ok(found) => Ok(found.into_iter().flatten().collect()),
        Err(error)
            if error.errno() == Some(Errno::EINVAL)
                && device::with_index(conn, device.index)?.is_none() =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(RdmaError::refused(
            error,
            format!("read the counters of memory regions of {}", device.name),
        )),
    }
}

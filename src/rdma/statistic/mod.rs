//! Counters of ports, queue pairs and memory regions: read, bind, switch.

use nix::errno::Errno;

use super::device;
use super::error::RdmaError;
use crate::kernel::{Conn, NetlinkError};

pub mod error;
pub mod memory_region;
pub mod optional;
pub mod port;
pub mod queue_pair;
pub mod rate;
pub mod target;

pub use error::StatisticError;
pub use target::Target;

/// nldev answers EINVAL for a port that has none of the counters asked for, and for a device that
/// is not visible any more; `None` for the latter.
fn absent_or_gone<T>(
    conn: &mut Conn,
    target: &Target,
    kind: &'static str,
    found: Result<T, NetlinkError>,
) -> Result<Option<T>, RdmaError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(NetlinkError::Refused(refusal))
            if matches!(refusal.errno, Errno::EINVAL | Errno::EOPNOTSUPP) =>
        {
            match device::with_index(conn, target.index)? {
                None => Ok(None),
                Some(_) => Err(StatisticError::NoCounters {
                    port: target.to_string(),
                    kind,
                    refusal,
                }
                .into()),
            }
        }
        Err(error) => Err(RdmaError::refused(
            error,
            format!("read the {kind} of {target}"),
        )),
    }
}

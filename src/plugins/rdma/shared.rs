//! Shared mode, in which a configuration may want nothing to be moved instead of a failure.

use super::config::SharedMode;
use crate::cni::Failure;
use crate::kernel::Conn;
use crate::plugins::mode::unreadable;
use crate::rdma::system;
use crate::types::NetnsMode;

/// Whether there is nothing to do: devices cannot be moved, and that is all right.
///
/// # Errors
/// Code 50 when the mode cannot be read.
pub fn is_skipped(home: &mut Conn, policy: SharedMode) -> Result<bool, Failure> {
    if policy == SharedMode::Refused {
        return Ok(false);
    }
    let system = system::get(home).map_err(|error| unreadable(&error))?;
    Ok(system.netns_mode() == Some(NetnsMode::Shared))
}

//! The mode of the RDMA subsystem, without which no device can be moved.

use super::fault;
use crate::cni::{Code, Failure};
use crate::kernel::Conn;
use crate::rdma::{RdmaError, system};
use crate::types::NetnsMode;

/// Devices can be moved in exclusive mode only.
///
/// # Errors
/// Code 50.
pub fn require_exclusive(home: &mut Conn) -> Result<(), Failure> {
    let system = system::get(home).map_err(|error| unreadable(&error))?;
    match system.netns_mode() {
        Some(NetnsMode::Exclusive) => Ok(()),
        mode => {
            let mode = mode.map_or("unknown", NetnsMode::as_str);
            Err(Failure::new(
                Code::NOT_AVAILABLE,
                format!("RDMA subsystem namespace awareness mode is set to {mode}, expecting it to be set to exclusive, invalid system configurations"),
            )
            .details(fault::EXCLUSIVE))
        }
    }
}

/// The mode could not be read.
pub fn unreadable(error: &RdmaError) -> Failure {
    let failure = fault::rdma(error);
    Failure {
        code: Code::NOT_AVAILABLE,
        msg: format!(
            "failed to get RDMA subsystem namespace awareness mode. {}",
            failure.msg
        ),
        ..failure
    }
}

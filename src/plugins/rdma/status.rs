//! STATUS: whether an ADD would find what every ADD needs.

use super::{Rdma, config, shared};
use crate::cni::{Code, Config, Failure};
use crate::kernel::Conn;
use crate::plugins::fault;
use crate::rdma::lease::Store;
use crate::rdma::{RdmaError, system};
use crate::types::NetnsMode;

/// Looks at the mode of the subsystem and at the folder of the records.
///
/// # Errors
/// Code 50, or 7.
pub fn status(plugin: &mut Rdma<'_>, config: &Config<'_>) -> Result<(), Failure> {
    let policy = config::shared_mode(config)?;
    let mut home = plugin
        .host
        .rdma()
        .map_err(|error| unreadable(&RdmaError::from(error)))?;
    if !shared::is_skipped(&mut home, policy)? {
        require_exclusive(&mut home)?;
    }
    Store::new(plugin.host)
        .folder()
        .probe()
        .map_err(|error| Failure {
            code: Code::NOT_AVAILABLE,
            ..fault::file(&error)
        })
}

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

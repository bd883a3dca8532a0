//! STATUS: whether an ADD would find what every ADD needs.

use super::{Rdma, config, shared};
use crate::cni::{Code, Config, Failure};
use crate::plugins::fault;
use crate::plugins::mode::{require_exclusive, unreadable};
use crate::rdma::RdmaError;
use crate::rdma::lease::Store;

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

//! STATUS: whether an ADD would find what every ADD needs.

use super::Rdma;
use crate::cni::{Code, Failure};
use crate::plugins::fault;
use crate::plugins::mode::{require_exclusive, unreadable};
use crate::rdma::RdmaError;
use crate::rdma::lease::Store;

/// Looks at the mode of the subsystem and at the folder of the records.
///
/// # Errors
/// Code 50.
pub fn status(plugin: &mut Rdma<'_>) -> Result<(), Failure> {
    let mut home = plugin
        .host
        .rdma()
        .map_err(|error| unreadable(&RdmaError::from(error)))?;
    require_exclusive(&mut home)?;
    Store::new(plugin.host)
        .folder()
        .probe()
        .map_err(|error| Failure {
            code: Code::NOT_AVAILABLE,
            ..fault::file(&error)
        })
}

//! Hardware counters of a port.

use super::{Target, absent_or_gone};
use crate::kernel::Conn;
use crate::rdma::error::RdmaError;
use crate::wire::nldev::statistic::port::{self as wire, PortCounters};

/// The counters of one port; `None` when the device has gone away.
///
/// # Errors
/// `StatisticError::NoCounters`, [`RdmaError::Netlink`].
pub fn counters(conn: &mut Conn, target: &Target) -> Result<Option<PortCounters>, RdmaError> {
    let found = conn.get(&wire::get(target.index, target.port), PortCounters::decode);
    absent_or_gone(conn, target, "hardware counters", found)
}

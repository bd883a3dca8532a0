//! Optional counters of a port: which there are, which are on, and switching them.

use super::{StatisticError, Target, absent_or_gone};
use crate::kernel::Conn;
use crate::rdma::error::RdmaError;
use crate::wire::nldev::statistic::optional::{self as wire, OptionalCounter};

/// The optional counters of one port; `None` when the device has gone away.
///
/// # Errors
/// [`StatisticError::NoCounters`], [`RdmaError::Netlink`].
pub fn list(conn: &mut Conn, target: &Target) -> Result<Option<Vec<OptionalCounter>>, RdmaError> {
    let request = wire::get(target.index, target.port);
    let found = conn.get(&request, OptionalCounter::decode_all);
    absent_or_gone(conn, target, "optional counters", found)
}

/// Switches exactly the counters with these names on and reads them back.
///
/// # Errors
/// [`StatisticError::NoOptionalCounter`], [`StatisticError::NoCounters`], [`RdmaError::NotPermitted`],
/// [`RdmaError::NotDone`].
pub fn set(conn: &mut Conn, target: &Target, names: &[&str]) -> Result<(), RdmaError> {
    let gone = || RdmaError::Gone {
        device: target.device.clone(),
    };
    let what = || match names {
        [] => format!("switch the optional counters of {target} off"),
        _ => format!("switch {} of {target} on", names.join(", ")),
    };
    let supported = list(conn, target)?.ok_or_else(gone)?;
    let indices: Vec<u32> = names
        .iter()
        .map(|name| index(target, &supported, name))
        .collect::<Result<_, _>>()?;
    conn.change(&wire::set(target.index, target.port, &indices))
        .map_err(|error| RdmaError::refused(error, what()))?;
    let now = list(conn, target)?.ok_or_else(gone)?;
    let as_wanted = |counter: &OptionalCounter| counter.on == indices.contains(&counter.index);
    if now.iter().all(as_wanted) {
        Ok(())
    } else {
        Err(RdmaError::NotDone { what: what() })
    }
}

/// Checks the names without switching anything.
///
/// # Errors
/// [`StatisticError::NoOptionalCounter`], [`StatisticError::NoCounters`].
pub fn check(conn: &mut Conn, target: &Target, names: &[&str]) -> Result<(), RdmaError> {
    let supported = list(conn, target)?.unwrap_or_default();
    names
        .iter()
        .try_for_each(|name| index(target, &supported, name).map(|_| ()))
}

fn index(target: &Target, supported: &[OptionalCounter], name: &str) -> Result<u32, RdmaError> {
    let found = supported.iter().find(|counter| counter.name == name);
    found.map(|counter| counter.index).ok_or_else(|| {
        let names = supported.iter().map(|counter| counter.name.clone());
        StatisticError::NoOptionalCounter {
            name: name.to_owned(),
            port: target.to_string(),
            supported: names.collect(),
        }
        .into()
    })
}

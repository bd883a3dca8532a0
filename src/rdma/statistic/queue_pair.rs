//! Counters that queue pairs are bound to: list, bind, unbind, and the automatic mode.

use nix::errno::Errno;

use super::{StatisticError, Target, absent_or_gone};
use crate::kernel::{Conn, NetlinkError};
use crate::rdma::device;
use crate::rdma::error::RdmaError;
use crate::types::AutoCriteria;
use crate::wire::nldev::statistic::mode::{self as wire, Mode};
use crate::wire::nldev::statistic::queue_pair::{self, QpCounters};

/// The counters of one device, by port; empty when the device is gone.
///
/// # Errors
/// [`RdmaError::Refused`], [`RdmaError::Netlink`].
pub fn list(conn: &mut Conn, target: &Target) -> Result<Vec<QpCounters>, RdmaError> {
    let listed = conn.list(&queue_pair::dump(target.index), QpCounters::decode_all);
    match listed {
        Ok(found) => {
            let mut found: Vec<_> = found.into_iter().flatten().collect();
            found.sort_by_key(|counters| counters.port);
            Ok(found)
        }
        Err(error)
            if error.errno() == Some(Errno::EINVAL)
                && device::with_index(conn, target.index)?.is_none() =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(RdmaError::refused(
            error,
            format!("read the counters of queue pairs of {}", target.device),
        )),
    }
}

/// How the counters of one port are kept; `None` when the device has gone away.
///
/// # Errors
/// [`StatisticError::NoCounters`], [`RdmaError::Netlink`].
pub fn mode(conn: &mut Conn, target: &Target) -> Result<Option<Mode>, RdmaError> {
    let request = wire::get(target.index, target.port);
    let found = conn.get(&request, |body| Ok(Mode::decode(body)));
    absent_or_gone(conn, target, "counters of queue pairs", found)
}

/// Sets the criteria of the automatic mode, or ends it, and reads the mode back.
///
/// # Errors
/// [`RdmaError::TooOld`] for `optional` before 6.15, [`RdmaError::NotPermitted`],
/// [`RdmaError::Refused`] with EBUSY while queue pairs are bound, [`RdmaError::NotDone`].
pub fn set_auto(
    conn: &mut Conn,
    target: &Target,
    criteria: AutoCriteria,
    optional: Option<bool>,
) -> Result<(), RdmaError> {
    let what = || match criteria {
        AutoCriteria::OFF => format!("end the automatic mode of {target}"),
        _ => format!("bind new queue pairs of {target} to counters by {criteria}"),
    };
    let request = wire::set_auto(target.index, target.port, criteria, optional);
    match conn.change(&request) {
        Ok(()) => {}
        Err(NetlinkError::Refused(refusal))
            if optional.is_some()
                && refusal.errno == Errno::EINVAL
                && refusal.message.as_deref() == Some("Unknown attribute type") =>
        {
            return Err(RdmaError::TooOld {
                what: "bind queue pairs to optional counters".to_owned(),
                since: "6.15",
                refusal,
            });
        }
        Err(error) => return Err(RdmaError::refused(error, what())),
    }
    match mode(conn, target)? {
        Some(now) if now.auto().unwrap_or(AutoCriteria::OFF) == criteria => Ok(()),
        _ => Err(RdmaError::NotDone { what: what() }),
    }
}

/// Binds a queue pair to a counter, or to a new one, and says to which.
///
/// # Errors
/// [`StatisticError::NoQueuePair`], [`StatisticError::AlreadyBound`],
/// [`RdmaError::NotPermitted`], [`RdmaError::Refused`].
pub fn bind(
    conn: &mut Conn,
    target: &Target,
    lqpn: u32,
    counter: Option<u32>,
) -> Result<u32, RdmaError> {
    let what = || format!("bind queue pair {lqpn} of {target} to a counter");
    let request = wire::bind(target.index, target.port, lqpn, counter);
    let refusal = match conn.get(&request, |body| Ok(wire::bound(body))) {
        Ok(told) => {
            return told
                .or(counter)
                .ok_or_else(|| RdmaError::NotDone { what: what() });
        }
        Err(NetlinkError::Refused(refusal)) => refusal,
        Err(error) => return Err(error.into()),
    };
    let port = target.to_string();
    Err(match refusal.errno {
        Errno::ENOENT => StatisticError::NoQueuePair {
            lqpn,
            port,
            counter,
            refusal,
        }
        .into(),
        // ENOMEM is what the wish for a new counter is answered with then
        // (rdma_counter_bind_qpn_alloc).
        Errno::ENOMEM | Errno::EINVAL | Errno::EBUSY => match holder(conn, target, lqpn)? {
            Some(counter) => StatisticError::AlreadyBound {
                lqpn,
                port,
                counter,
                refusal,
            }
            .into(),
            None => RdmaError::refused(NetlinkError::Refused(refusal), what()),
        },
        _ => RdmaError::refused(NetlinkError::Refused(refusal), what()),
    })
}

/// The counter that a queue pair is bound to.
fn holder(conn: &mut Conn, target: &Target, lqpn: u32) -> Result<Option<u32>, RdmaError> {
    let held = |counters: &QpCounters| {
        counters.port == Some(target.port) && counters.lqpns.contains(&lqpn)
    };
    let found = list(conn, target)?.into_iter().find(held);
    Ok(found.map(|counters| counters.id))
}

/// The queue pairs of one counter.
///
/// # Errors
/// [`StatisticError::NoCounter`], [`RdmaError::Netlink`].
pub fn bound_to(conn: &mut Conn, target: &Target, counter: u32) -> Result<Vec<u32>, RdmaError> {
    let request = queue_pair::get(target.index, target.port, counter);
    match conn.get(&request, QpCounters::decode) {
        Ok(found) => Ok(found.lqpns),
        Err(NetlinkError::Refused(refusal)) if refusal.errno == Errno::ENOENT => {
            Err(StatisticError::NoCounter {
                counter,
                port: target.to_string(),
                refusal,
            }
            .into())
        }
        Err(error) => Err(RdmaError::refused(
            error,
            format!("read counter {counter} of {target}"),
        )),
    }
}

/// Takes one queue pair from its counter, or all of them; the counter ends with the last.
///
/// # Errors
/// [`StatisticError::NoCounter`], [`StatisticError::NoQueuePair`], [`StatisticError::NotBound`],
/// [`RdmaError::NotPermitted`], [`RdmaError::Refused`].
pub fn unbind(
    conn: &mut Conn,
    target: &Target,
    counter: u32,
    lqpn: Option<u32>,
) -> Result<(), RdmaError> {
    let lqpns = match lqpn {
        Some(lqpn) => vec![lqpn],
        None => bound_to(conn, target, counter)?,
    };
    for lqpn in lqpns {
        let request = wire::unbind(target.index, target.port, counter, lqpn);
        let port = target.to_string();
        conn.change(&request).map_err(|error| match error {
            NetlinkError::Refused(refusal) if refusal.errno == Errno::ENOENT => {
                StatisticError::NoQueuePair {
                    lqpn,
                    port,
                    counter: Some(counter),
                    refusal,
                }
                .into()
            }
            NetlinkError::Refused(refusal) if refusal.errno == Errno::EINVAL => {
                StatisticError::NotBound {
                    lqpn,
                    port,
                    counter,
                    refusal,
                }
                .into()
            }
            other => RdmaError::refused(
                other,
                format!("take queue pair {lqpn} of {target} from counter {counter}"),
            ),
        })?;
    }
    Ok(())
}

//! `statistic qp`: counters that queue pairs are bound to, by hand or automatically.

use super::listing::{self, Record, counters, each_port, rates};
use super::{only, selector};
use crate::cli::{Context, Dialect, Failure};
use crate::kernel::Conn;
use crate::kernel::procfs::Procfs;
use crate::rdma::statistic::rate::Holder;
use crate::rdma::statistic::{queue_pair, target};
use crate::types::{AutoCriteria, Invalid, PortSelector};
use crate::view::statistic as view;
use crate::wire::nldev::statistic::queue_pair::QpCounters;

mod words;

pub(super) use words::Verb;
use words::{Bind, Change, Filter, Set, Unbind, What};

pub(super) fn run(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    verb: Option<Verb>,
    rate: bool,
) -> Result<(), Failure> {
    match verb {
        None | Some(Verb::Show { what: None }) => show(cx, conn, None, rate),
        Some(Verb::Show {
            what: Some(What::Link(filter)),
        }) => show(cx, conn, Some(&filter), rate),
        Some(Verb::Mode { ports }) => mode(cx, conn, selector(ports).as_ref()),
        Some(Verb::Set {
            what: Set::Link { port, what: None },
        }) => mode(cx, conn, port.as_ref()),
        Some(Verb::Set {
            what: Set::Link {
                port,
                what: Some(what),
            },
        }) => {
            let outcome = set_auto(cx, conn, port.as_ref(), &what);
            cx.changed(outcome)
        }
        Some(Verb::Bind {
            what: Bind::Link { port, lqpn, cntn },
        }) => bind(cx, conn, &port, lqpn, cntn),
        Some(Verb::Unbind {
            what: Unbind::Link { port, cntn, lqpn },
        }) => {
            let outcome = unbind(cx, conn, &port, cntn, lqpn);
            cx.changed(outcome)
        }
    }
}

fn show(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    filter: Option<&Filter>,
    rate: bool,
) -> Result<(), Failure> {
    let procfs = Procfs::of(cx.host);
    let selector = filter.and_then(|filter| filter.port.as_ref());
    counters(cx, conn, rate, &mut |cx, conn, mut past| {
        each_port(cx, conn, selector, |conn, target| {
            let found = queue_pair::list(conn, target)?;
            let wanted = found.into_iter().filter(|counters| {
                counters.port.is_none_or(|port| port == target.port)
                    && filter.is_none_or(|filter| filter.shows(counters))
            });
            let record = |bound: QpCounters| {
                let comm = bound.pid.and_then(|pid| procfs.comm(pid));
                let holder = Holder::queue_pairs(target, &bound);
                let rates = rates(&mut past, Some(holder), &bound.counters);
                Record {
                    row: view::queue_pair(target, &bound, comm.as_deref(), &rates),
                    counters: bound.counters,
                    rates,
                }
            };
            Ok(wanted.map(record).collect())
        })
    })
}

fn mode(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    selector: Option<&PortSelector>,
) -> Result<(), Failure> {
    let listing = each_port(cx, conn, selector, |conn, target| {
        let mode = queue_pair::mode(conn, target)?;
        let row = mode.map(|mode| view::mode(target, mode));
        Ok(row.into_iter().map(Record::plain).collect())
    })?;
    listing::show(cx, conn, listing, false)
}

fn set_auto(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    selector: Option<&PortSelector>,
    change: &Change,
) -> Result<(), Failure> {
    let Change::Auto {
        criteria,
        on,
        optional_counters,
    } = *change;
    match (criteria, on, optional_counters) {
        (AutoCriteria::OFF, None, None) => {}
        (AutoCriteria::OFF, ..) => {
            return Err(Invalid::new("off", "automatic mode", "nothing follows it").into());
        }
        (_, None, _) => {
            let word = criteria.to_string();
            return Err(Invalid::new(&word, "automatic mode", "write on behind it").into());
        }
        (_, Some(_), _) => {}
    }
    // Never every port there is because a word was left out.
    let Some(selector) = selector else {
        return Err(Invalid::new("auto", "device or port", "write link DEV auto").into());
    };
    let found = target::targets(conn, Some(selector));
    for target in found.map_err(|error| cx.explain_plain(conn, error))? {
        let planned = cx.plan(|| match criteria {
            AutoCriteria::OFF => format!("end the automatic mode of {target}"),
            _ => format!("bind new queue pairs of {target} to counters by {criteria}"),
        })?;
        if !planned {
            queue_pair::set_auto(conn, &target, criteria, optional_counters)
                .map_err(|error| cx.explain_plain(conn, error))?;
        }
    }
    Ok(())
}

/// iproute2 throws away which counter it is.
fn bind(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    port: &PortSelector,
    lqpn: u32,
    cntn: Option<u32>,
) -> Result<(), Failure> {
    let found = target::only(conn, port);
    let target = cx.or_empty(conn, found)?;
    let planned = cx.plan(|| match cntn {
        Some(id) => format!("bind queue pair {lqpn} of {target} to counter {id}"),
        None => format!("bind queue pair {lqpn} of {target} to a new counter"),
    })?;
    if planned {
        return Ok(());
    }
    let bound = queue_pair::bind(conn, &target, lqpn, cntn);
    let id = cx.or_empty(conn, bound)?;
    match cx.dialect {
        Dialect::Own => Ok(cx.view.rows(&[view::bound(&target, id, lqpn)])?),
        Dialect::Iproute2 => cx.changed(Ok(())),
    }
}

fn unbind(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    port: &PortSelector,
    cntn: u32,
    lqpn: Option<u32>,
) -> Result<(), Failure> {
    let target = only(cx, conn, port)?;
    let planned = cx.plan(|| match lqpn {
        Some(lqpn) => format!("take queue pair {lqpn} of {target} from counter {cntn}"),
        None => format!("take every queue pair of {target} from counter {cntn}"),
    })?;
    if planned {
        return Ok(());
    }
    queue_pair::unbind(conn, &target, cntn, lqpn).map_err(|error| cx.explain_plain(conn, error))
}

//! `statistic mode`, `set` and `unset`: optional counters of ports.

use clap::Subcommand;

use super::listing::{self, Record, each_port};
use super::{Ports, only, port, selector};
use crate::cli::{Context, Failure};
use crate::kernel::Conn;
use crate::rdma::statistic::optional;
use crate::types::PortSelector;
use crate::view::statistic as view;
use crate::wire::nldev::statistic::optional::OptionalCounter;

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Mode {
    /// Those that are on, of this device or port
    Link {
        /// Only this device, or this port of it
        #[arg(value_name = "DEV[/PORT]", value_parser = port)]
        port: Option<PortSelector>,
    },
    /// Those that are on
    Show {
        #[command(subcommand)]
        ports: Option<Ports>,
    },
    /// All that there are
    Supported {
        #[command(subcommand)]
        ports: Option<Ports>,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Set {
    /// Of this port
    Link {
        /// The port; `DEV` will do where the device has one port
        #[arg(value_name = "DEV/PORT", value_parser = port)]
        port: PortSelector,
        #[command(subcommand)]
        what: Wanted,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Wanted {
    /// Switch these on, and every other optional counter off
    #[command(override_usage = "rdmactl stat set link <DEV/PORT> optional-counters <NAMES>")]
    OptionalCounters {
        /// Names of counters with commas between them
        #[arg(value_name = "NAMES")]
        names: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Unset {
    /// Of this port
    Link {
        /// The port; `DEV` will do where the device has one port
        #[arg(value_name = "DEV/PORT", value_parser = port)]
        port: PortSelector,
        #[command(subcommand)]
        what: Unwanted,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Unwanted {
    /// Switch all optional counters off
    OptionalCounters,
}

pub(super) fn mode(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    what: Option<Mode>,
) -> Result<(), Failure> {
    let (key, all, chosen) = match what {
        None => ("optional-counters", false, None),
        Some(Mode::Link { port }) => ("optional-counters", false, port),
        Some(Mode::Show { ports }) => ("optional-counters", false, selector(ports)),
        // The blank is iproute2's.
        Some(Mode::Supported { ports }) => ("supported optional-counters", true, selector(ports)),
    };
    let listing = each_port(cx, conn, chosen.as_ref(), |conn, target| {
        let found = optional::list(conn, target)?.unwrap_or_default();
        let shown: Vec<&OptionalCounter> =
            found.iter().filter(|counter| all || counter.on).collect();
        let row = (!shown.is_empty()).then(|| view::optional(target, key, &shown));
        Ok(row.into_iter().map(Record::plain).collect())
    })?;
    listing::show(cx, conn, listing, false)
}

pub(super) fn set(cx: &mut Context<'_>, conn: &mut Conn, what: Set) -> Result<(), Failure> {
    let Set::Link {
        port,
        what: Wanted::OptionalCounters { names },
    } = what;
    let names: Vec<&str> = names.split(',').filter(|name| !name.is_empty()).collect();
    let outcome = switch(cx, conn, &port, &names);
    cx.changed(outcome)
}

pub(super) fn unset(cx: &mut Context<'_>, conn: &mut Conn, what: Unset) -> Result<(), Failure> {
    let Unset::Link {
        port,
        what: Unwanted::OptionalCounters,
    } = what;
    let outcome = switch(cx, conn, &port, &[]);
    cx.changed(outcome)
}

fn switch(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    port: &PortSelector,
    names: &[&str],
) -> Result<(), Failure> {
    let target = only(cx, conn, port)?;
    let outcome = if cx.dry_run {
        optional::check(conn, &target, names)
    } else {
        optional::set(conn, &target, names)
    };
    outcome.map_err(|error| cx.explain_plain(conn, error))?;
    cx.plan(|| match names {
        [] => format!("switch all optional counters of {target} off"),
        _ => format!(
            "switch {} of {target} on and its other optional counters off",
            names.join(", ")
        ),
    })?;
    Ok(())
}

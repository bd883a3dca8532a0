//! `statistic`: counters of ports, queue pairs and memory regions.

use clap::{ArgAction, Args, Subcommand};

use super::words::unmarked;
use super::{Context, Failure};
use crate::kernel::Conn;
use crate::rdma::statistic::{Target, target};
use crate::types::{Invalid, NumberList, PortSelector};

mod listing;
mod optional;
mod queue_pair;
mod show;

/// Counters of ports, queue pairs and memory regions
#[derive(Debug, Clone, Args)]
pub(super) struct Statistic {
    /// Show beside each counter how much it grows in a second
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "rate", global = true)]
    rate: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// The order is iproute2's: `m` is `mr`.
#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Show hardware counters
    #[command(visible_alias = "list")]
    Show {
        #[command(subcommand)]
        what: Option<show::What>,
    },
    /// Counters that queue pairs are bound to
    Qp {
        #[command(subcommand)]
        verb: Option<queue_pair::Verb>,
    },
    /// Counters of memory regions
    Mr(show::Regions),
    /// Show optional counters: those that are on, or all that there are
    Mode {
        #[command(subcommand)]
        what: Option<optional::Mode>,
    },
    /// Switch optional counters on
    Set {
        #[command(subcommand)]
        what: optional::Set,
    },
    /// Switch optional counters off
    Unset {
        #[command(subcommand)]
        what: optional::Unset,
    },
}

impl Statistic {
    pub(super) fn only_shows(&self) -> bool {
        match &self.verb {
            None | Some(Verb::Show { .. } | Verb::Mr(_) | Verb::Mode { .. }) => true,
            Some(Verb::Qp { verb }) => verb.as_ref().is_none_or(queue_pair::Verb::only_shows),
            Some(Verb::Set { .. } | Verb::Unset { .. }) => false,
        }
    }

    /// Whether rates are asked for of what does not go at any.
    pub(super) fn has_no_rate(&self) -> bool {
        let counters = match &self.verb {
            None | Some(Verb::Show { .. } | Verb::Mr(_)) => true,
            Some(Verb::Qp { verb }) => {
                matches!(verb, None | Some(queue_pair::Verb::Show { .. }))
            }
            Some(Verb::Mode { .. } | Verb::Set { .. } | Verb::Unset { .. }) => false,
        };
        self.rate && !counters
    }

    pub(super) fn run(self, cx: &mut Context<'_>, conn: &mut Conn) -> Result<(), Failure> {
        let rate = self.rate;
        match self.verb.unwrap_or(Verb::Show { what: None }) {
            Verb::Show { what } => show::run(cx, conn, what, rate),
            Verb::Qp { verb } => queue_pair::run(cx, conn, verb, rate),
            Verb::Mr(regions) => show::regions(cx, conn, &regions, rate),
            Verb::Mode { what } => optional::mode(cx, conn, what),
            Verb::Set { what } => optional::set(cx, conn, what),
            Verb::Unset { what } => optional::unset(cx, conn, what),
        }
    }
}

/// The ports that a `link` word of a command names.
#[derive(Debug, Clone, Subcommand)]
enum Ports {
    /// Only this device, or this port of it
    Link {
        /// Device, or port of a device
        #[arg(value_name = "DEV[/PORT]", value_parser = port)]
        port: Option<PortSelector>,
    },
}

fn selector(ports: Option<Ports>) -> Option<PortSelector> {
    ports.and_then(|Ports::Link { port }| port)
}

fn port(word: &str) -> Result<PortSelector, std::convert::Infallible> {
    unmarked(word).parse()
}

fn numbers(word: &str) -> Result<NumberList, Invalid> {
    word.parse()
}

/// The one port that a change is about.
fn only(cx: &Context<'_>, conn: &mut Conn, selector: &PortSelector) -> Result<Target, Failure> {
    target::only(conn, selector).map_err(|error| cx.explain_plain(conn, error))
}

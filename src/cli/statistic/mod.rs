//! `statistic`: counters of ports, queue pairs and memory regions.

use clap::{Args, Subcommand};

use super::words::unmarked;
use super::{Context, Failure};
use crate::kernel::Conn;
use crate::rdma::RdmaError;
use crate::rdma::statistic::{Target, target};
use crate::types::{Invalid, NumberList, PortSelector};
use crate::view::statistic::spread;
use crate::view::{Format, Row};
use crate::wire::nldev::statistic::Counter;

mod optional;
mod queue_pair;
mod show;

/// Counters of ports, queue pairs and memory regions
#[derive(Debug, Args)]
pub(super) struct Statistic {
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// The order is iproute2's: `m` is `mr`.
#[derive(Debug, Subcommand)]
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
    pub(super) fn run(self, cx: &mut Context<'_>, conn: &mut Conn) -> Result<(), Failure> {
        match self.verb.unwrap_or(Verb::Show { what: None }) {
            Verb::Show { what } => show::run(cx, conn, what),
            Verb::Qp { verb } => queue_pair::run(cx, conn, verb),
            Verb::Mr(regions) => show::regions(cx, conn, &regions),
            Verb::Mode { what } => optional::mode(cx, conn, what),
            Verb::Set { what } => optional::set(cx, conn, what),
            Verb::Unset { what } => optional::unset(cx, conn, what),
        }
    }
}

/// The ports that a `link` word of a command names.
#[derive(Debug, Subcommand)]
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

/// A record, and its counters once more, which tables show one below the other.
type Record = (Row, Vec<Counter>);

/// Asks every port that the word names. One that cannot be asked is told about at the end; the
/// others are shown all the same.
fn each_port(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    selector: Option<&PortSelector>,
    mut ask: impl FnMut(&mut Conn, &Target) -> Result<Vec<Record>, RdmaError>,
) -> Result<(), Failure> {
    let found = target::targets(conn, selector);
    let targets = cx.or_empty(conn, found)?;
    let (mut records, mut failed) = (Vec::new(), Vec::new());
    for target in &targets {
        match ask(conn, target) {
            Ok(found) => records.extend(found),
            Err(error) => failed.push(error),
        }
    }
    print(cx, &records)?;
    cx.missing(conn, failed)
}

fn print(cx: &mut Context<'_>, records: &[Record]) -> Result<(), Failure> {
    let rows: Vec<Row> = match cx.view.style().format {
        Format::Table { .. } => records
            .iter()
            .flat_map(|(row, counters)| spread(row, counters))
            .collect(),
        Format::Text | Format::Json => records.iter().map(|(row, _)| row.clone()).collect(),
    };
    Ok(cx.view.rows(&rows)?)
}

/// The one port that a change is about.
fn only(cx: &Context<'_>, conn: &mut Conn, selector: &PortSelector) -> Result<Target, Failure> {
    target::only(conn, selector).map_err(|error| cx.explain_plain(conn, error))
}

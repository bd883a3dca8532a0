//! `Listing`: counters as they were found, read once or, for their rates, twice.

use std::time::{Duration, Instant};

use crate::cli::{Context, Failure};
use crate::kernel::{Conn, terminal};
use crate::rdma::RdmaError;
use crate::rdma::statistic::rate::{Holder, Rates, Readings};
use crate::rdma::statistic::{Target, target};
use crate::types::PortSelector;
use crate::view::statistic::spread;
use crate::view::{Format, Row};
use crate::wire::nldev::statistic::Counter;

/// A record, and its counters once more with their rates, which tables show one below the other.
pub(super) struct Record {
    pub row: Row,
    pub counters: Vec<Counter>,
    pub rates: Rates,
}

impl Record {
    /// One without counters.
    pub fn plain(row: Row) -> Self {
        Self {
            row,
            counters: Vec::new(),
            rates: Rates::default(),
        }
    }
}

/// The records of everything that could be asked, and why the rest could not.
#[derive(Default)]
pub(super) struct Listing {
    records: Vec<Record>,
    failed: Vec<RdmaError>,
}

impl Listing {
    /// One holder of counters that cannot be asked does not end the listing.
    pub fn add(&mut self, found: Result<Vec<Record>, RdmaError>) {
        match found {
            Ok(found) => self.records.extend(found),
            Err(error) => self.failed.push(error),
        }
    }
}

/// Asks every port that the word names.
pub(super) fn each_port(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    selector: Option<&PortSelector>,
    mut ask: impl FnMut(&mut Conn, &Target) -> Result<Vec<Record>, RdmaError>,
) -> Result<Listing, Failure> {
    let found = target::targets(conn, selector);
    let targets = cx.or_empty(conn, found)?;
    let mut listing = Listing::default();
    for target in &targets {
        listing.add(ask(conn, target));
    }
    Ok(listing)
}

/// Where readings are kept, if rates are wanted.
pub(super) type Past<'p> = Option<&'p mut Readings>;

/// Asks for a listing.
pub(super) type Inquiry<'r> =
    &'r mut dyn FnMut(&mut Context<'_>, &mut Conn, Past<'_>) -> Result<Listing, Failure>;

/// The rates of what was just read of a holder.
pub(super) fn rates(past: &mut Past<'_>, holder: Option<Holder>, counters: &[Counter]) -> Rates {
    match (past, holder) {
        (Some(past), Some(holder)) => past.rates(holder, Instant::now(), counters),
        _ => Rates::default(),
    }
}

/// Shows counters. Rates take two readings: this one and the last frame's while the command is
/// watched, else two a second apart.
pub(super) fn counters(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    rate: bool,
    read: Inquiry<'_>,
) -> Result<(), Failure> {
    let mut past = cx.past.take();
    let listing = match (&mut past, rate) {
        (_, false) => read(cx, conn, None),
        (Some(past), true) => read(cx, conn, Some(past)),
        (None, true) => twice(cx, conn, read),
    };
    cx.past = past;
    show(cx, conn, listing?, rate)
}

fn twice(cx: &mut Context<'_>, conn: &mut Conn, read: Inquiry<'_>) -> Result<Listing, Failure> {
    const APART: Duration = Duration::from_secs(1);
    let mut readings = Readings::default();
    let again = Instant::now() + APART;
    let first = read(cx, conn, Some(&mut readings))?;
    if first.records.is_empty() {
        return Ok(first);
    }
    readings.turn();
    terminal::pause(again)?;
    read(cx, conn, Some(&mut readings))
}

/// Shows what was found.
pub(super) fn show(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    listing: Listing,
    rate: bool,
) -> Result<(), Failure> {
    let records = listing.records.into_iter();
    let rows: Vec<Row> = match cx.view.style().format {
        Format::Table { .. } => records
            .flat_map(|each| spread(&each.row, &each.counters, rate.then_some(&each.rates)))
            .collect(),
        Format::Text | Format::Json => records.map(|each| each.row).collect(),
    };
    cx.view.rows(&rows)?;
    cx.missing(conn, listing.failed)
}

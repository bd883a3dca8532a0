//! `statistic show` and `statistic mr`: hardware counters of ports and of memory regions.

use clap::{Args, Subcommand};

use super::listing::{Listing, Record, counters, each_port, rates};
use super::{numbers, port};
use crate::cli::words::{WORDS, unmarked};
use crate::cli::{Context, Failure};
use crate::kernel::Conn;
use crate::rdma::statistic::rate::Holder;
use crate::rdma::{device, statistic};
use crate::types::{NumberList, PortSelector};
use crate::view::statistic as view;
use crate::wire::nldev::statistic::memory_region::MrCounters;

#[derive(Debug, Clone, Subcommand)]
pub(super) enum What {
    /// Counters of ports
    Link {
        /// Only this device, or this port of it
        #[arg(value_name = "DEV[/PORT]", value_parser = port)]
        port: Option<PortSelector>,
    },
    /// Counters of memory regions
    Mr(Regions),
}

/// Counters of memory regions
#[derive(Debug, Clone, Args)]
#[command(override_usage = "rdmactl statistic mr [dev <DEV>] [mrn <NUMBERS>]")]
pub(super) struct Regions {
    /// Only of this device
    #[arg(long, value_name = "DEV", value_parser = plain, help_heading = WORDS)]
    dev: Option<String>,
    /// Only memory regions with these numbers
    #[arg(long, value_name = "NUMBERS", value_parser = numbers, help_heading = WORDS)]
    mrn: Option<NumberList>,
}

fn plain(word: &str) -> Result<String, std::convert::Infallible> {
    Ok(unmarked(word).to_owned())
}

pub(super) fn run(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    what: Option<What>,
    rate: bool,
) -> Result<(), Failure> {
    let selector = match what {
        Some(What::Mr(filter)) => return regions(cx, conn, &filter, rate),
        Some(What::Link { port }) => port,
        None => None,
    };
    counters(cx, conn, rate, &mut |cx, conn, mut past| {
        each_port(cx, conn, selector.as_ref(), |conn, target| {
            let Some(found) = statistic::port::counters(conn, target)? else {
                return Ok(Vec::new());
            };
            let counters = found.counters;
            let rates = rates(&mut past, Some(Holder::port(target)), &counters);
            Ok(vec![Record {
                row: view::port(target, &counters, &rates),
                counters,
                rates,
            }])
        })
    })
}

pub(super) fn regions(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    filter: &Regions,
    rate: bool,
) -> Result<(), Failure> {
    counters(cx, conn, rate, &mut |cx, conn, mut past| {
        let found = match &filter.dev {
            Some(name) => device::find(conn, name).map(|device| vec![device]),
            None => device::list(conn),
        };
        let devices = cx.or_empty(conn, found)?;
        let mut listing = Listing::default();
        for device in &devices {
            let driver_details = cx.details > 1;
            let wanted = filter.mrn.as_ref();
            let found = statistic::memory_region::list(conn, device, wanted, driver_details);
            let record = |region: MrCounters| {
                let holder = Holder::memory_region(device, &region);
                let rates = rates(&mut past, holder, &region.counters);
                Record {
                    row: view::memory_region(device, &region, &rates),
                    counters: region.counters,
                    rates,
                }
            };
            listing.add(found.map(|regions| regions.into_iter().map(record).collect()));
        }
        Ok(listing)
    })
}

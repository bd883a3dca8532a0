//! `statistic show` and `statistic mr`: hardware counters of ports and of memory regions.

use clap::{Args, Subcommand};

use super::{each_port, numbers, port, print};
use crate::cli::words::{WORDS, unmarked};
use crate::cli::{Context, Failure};
use crate::kernel::Conn;
use crate::rdma::{device, statistic};
use crate::types::{NumberList, PortSelector};
use crate::view::statistic as view;

#[derive(Debug, Subcommand)]
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
#[derive(Debug, Args)]
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
) -> Result<(), Failure> {
    let selector = match what {
        Some(What::Mr(filter)) => return regions(cx, conn, &filter),
        Some(What::Link { port }) => port,
        None => None,
    };
    each_port(cx, conn, selector.as_ref(), |conn, target| {
        let found = statistic::port::counters(conn, target)?;
        let record = found.map(|found| (view::port(target, &found.counters), found.counters));
        Ok(record.into_iter().collect())
    })
}

pub(super) fn regions(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    filter: &Regions,
) -> Result<(), Failure> {
    let found = match &filter.dev {
        Some(name) => device::find(conn, name).map(|device| vec![device]),
        None => device::list(conn),
    };
    let devices = cx.or_empty(conn, found)?;
    let (mut records, mut failed) = (Vec::new(), Vec::new());
    for device in &devices {
        match statistic::memory_region::list(conn, device) {
            Ok(regions) => {
                let wanted = regions.into_iter().filter(|region| match &filter.mrn {
                    Some(list) => list.has(region.mrn.map(u64::from)),
                    None => true,
                });
                records.extend(
                    wanted.map(|region| (view::memory_region(device, &region), region.counters)),
                );
            }
            Err(error) => failed.push(error),
        }
    }
    print(cx, &records)?;
    cx.missing(conn, failed)
}

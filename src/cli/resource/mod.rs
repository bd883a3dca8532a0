//! `resource`: show the objects that the kernel tracks, set pools of memory regions.

mod chosen;

use std::num::NonZeroU32;

use clap::{Args, Subcommand};

use self::chosen::Chosen;
use super::words::{WORDS, unmarked};
use super::{Context, Failure};
use crate::kernel::Conn;
use crate::rdma::resource::{self, Makers, Wish};
use crate::types::FrmrKey;
use crate::view::resource::Show;
use crate::view::{self, Detail};
use crate::wire::nldev::resource::Query;

/// Objects that the kernel tracks: queue pairs, memory regions, ...
#[derive(Debug, Clone, Args)]
pub(super) struct Resource {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Show how many objects devices have, or the objects of one kind
    #[command(
        visible_alias = "list",
        args_conflicts_with_subcommands = true,
        subcommand_value_name = "KIND",
        subcommand_help_heading = "Kinds"
    )]
    Show {
        /// Only this device
        #[arg(value_parser = plain)]
        dev: Option<String>,
        #[command(subcommand)]
        kind: Option<Chosen>,
    },
    /// Change how objects are kept
    Set {
        #[command(subcommand)]
        what: Change,
    },
}

#[derive(Debug, Clone, Subcommand)]
enum Change {
    /// Pools of fast registration memory regions
    #[command(
        name = "frmr_pools",
        override_usage = "rdmactl resource set frmr_pools dev <DEV> <COMMAND>"
    )]
    FrmrPools {
        /// Name of the device
        #[arg(long, value_name = "DEV", required = true, help_heading = WORDS)]
        dev: String,
        #[command(subcommand)]
        what: PoolChange,
    },
}

#[derive(Debug, Clone, Subcommand)]
enum PoolChange {
    /// Set how long unused handles stay
    #[command(override_usage = "rdmactl resource set frmr_pools dev <DEV> aging <SECONDS>")]
    Aging {
        /// Seconds, 1 or more
        seconds: NonZeroU32,
    },
    /// Set how many handles of one pool stay for good
    #[command(override_usage = "rdmactl resource set frmr_pools dev <DEV> pinned <KEY> <HANDLES>")]
    Pinned {
        /// Key of the pool, as `resource show frmr_pools` prints it
        key: FrmrKey,
        /// How many
        handles: u32,
    },
}

fn plain(word: &str) -> Result<String, std::convert::Infallible> {
    Ok(unmarked(word).to_owned())
}

impl Resource {
    pub(super) fn only_shows(&self) -> bool {
        matches!(self.verb, None | Some(Verb::Show { .. }))
    }

    pub(super) fn run(self, cx: &mut Context<'_>, conn: &mut Conn) -> Result<(), Failure> {
        match self.verb {
            None => counts(cx, conn, None),
            Some(Verb::Show { kind: None, dev }) => counts(cx, conn, dev.as_deref()),
            Some(Verb::Show {
                kind: Some(chosen), ..
            }) => show(cx, conn, &chosen),
            Some(Verb::Set {
                what: Change::FrmrPools { dev, what },
            }) => {
                let outcome = set_pools(cx, conn, &dev, &what);
                cx.changed(outcome)
            }
        }
    }
}

fn counts(cx: &mut Context<'_>, conn: &mut Conn, name: Option<&str>) -> Result<(), Failure> {
    let found = resource::summaries(conn, name, cx.details > 1);
    let listing = cx.or_empty(conn, found)?;
    let rows = listing.found.iter();
    cx.view.list(rows.map(view::resource::summary_row))?;
    cx.missing(conn, listing.failed)
}

fn show(cx: &mut Context<'_>, conn: &mut Conn, chosen: &Chosen) -> Result<(), Failure> {
    let wish = Wish {
        query: Query {
            kind: chosen.kind,
            raw: cx.raw,
            driver_details: cx.details > 1,
        },
        selector: chosen.selector.as_ref(),
        filter: &chosen.filter,
    };
    let found = resource::list(conn, wish);
    let listing = cx.or_empty(conn, found)?;
    let show = Show {
        detail: cx.detail(),
        driver_details: cx.details > 1,
        by_port: chosen.kind.has_ports(),
    };
    // Owners are ours: iproute2 has no words for them.
    let mut makers = Makers::new(cx.host, show.detail == Detail::Own);
    cx.view.list(listing.found.iter().map(|object| {
        let maker = object.task.pid.map(|pid| makers.of(pid));
        view::resource::row(object, maker, show)
    }))?;
    cx.missing(conn, listing.failed)
}

fn set_pools(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    name: &str,
    what: &PoolChange,
) -> Result<(), Failure> {
    let device = cx.find(conn, name)?;
    let planned = cx.plan(|| match what {
        PoolChange::Aging { seconds } => {
            format!("keep unused handles of the FRMR pools of {name} for {seconds} seconds")
        }
        PoolChange::Pinned { key, handles } => {
            format!("pin {handles} handles of the FRMR pool {key} of {name}")
        }
    })?;
    if planned {
        return Ok(());
    }
    let outcome = match what {
        PoolChange::Aging { seconds } => resource::set_aging(conn, &device, seconds.get()),
        PoolChange::Pinned { key, handles } => resource::set_pinned(conn, &device, key, *handles),
    };
    outcome.map_err(|error| cx.explain_plain(conn, error))
}

//! `link`: show ports, add and delete software devices.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::system::seconds;
use super::words::{WORDS, unmarked};
use super::{Context, Failure};
use crate::kernel::Conn;
use crate::rdma::diagnosis::Attempt;
use crate::rdma::link;
use crate::rdma::removal::{self, Terms};
use crate::rdma::users::{self, Users};
use crate::types::{IfName, Invalid, PortSelector, RdmaName};
use crate::view;
use crate::wire::nldev::device::Device;

/// Ports, and software devices on network interfaces
#[derive(Debug, Clone, Args)]
pub(super) struct Link {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Add a software device to a network interface
    #[command(override_usage = "rdmactl link add <NAME> type <TYPE> netdev <NETDEV>")]
    Add {
        /// Name of the new device
        name: RdmaName,
        /// Driver: rxe (soft-RoCE) or siw (soft-iWARP)
        #[arg(long = "type", value_name = "TYPE", value_parser = driver, required = true, help_heading = WORDS)]
        kind: String,
        /// The interface it works on
        #[arg(long, value_name = "NETDEV", required = true, help_heading = WORDS)]
        netdev: IfName,
    },
    /// Delete a software device that nobody uses
    ///
    /// While processes use it, or the kernel has connections on it, it is left alone and they are
    /// named. With --force they lose it: since Linux 7.3 (soft-RoCE) at once, and before, and with
    /// soft-iWARP, the kernel hides the device and deletes it when the last of them has ended.
    Delete {
        /// Name of the device, without a port
        #[arg(value_parser = plain)]
        dev: String,
        /// Wait this long until nobody uses it
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        wait: Option<Duration>,
    },
    /// Show ports
    #[command(visible_alias = "list")]
    Show {
        /// Only this device, or this port of it
        #[arg(value_name = "DEV[/PORT]", value_parser = port)]
        port: Option<PortSelector>,
    },
}

fn plain(word: &str) -> Result<String, std::convert::Infallible> {
    Ok(unmarked(word).to_owned())
}

fn port(word: &str) -> Result<PortSelector, std::convert::Infallible> {
    unmarked(word).parse()
}

/// `RDMA_NLDEV_ATTR_LINK_TYPE` holds at most 15 bytes.
fn driver(word: &str) -> Result<String, Invalid> {
    let sound = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if word.is_empty() || word.len() > 15 || !word.bytes().all(sound) {
        return Err(Invalid::new(word, "driver name", "write rxe or siw"));
    }
    Ok(word.to_owned())
}

impl Link {
    /// `link show NAME`.
    pub(super) fn show(name: &str) -> Self {
        let Ok(port) = port(name);
        let verb = Some(Verb::Show { port: Some(port) });
        Self { verb }
    }

    pub(super) fn only_shows(&self) -> bool {
        matches!(self.verb, None | Some(Verb::Show { .. }))
    }

    pub(super) fn run(self, cx: &mut Context<'_>, conn: &mut Conn) -> Result<(), Failure> {
        match self.verb.unwrap_or(Verb::Show { port: None }) {
            Verb::Show { port } => show(cx, conn, port.as_ref()),
            // iproute2 prints no empty array here, as it does for every other change.
            Verb::Add { name, kind, netdev } => add(cx, conn, &name, &kind, &netdev),
            Verb::Delete { dev, wait } => {
                let terms = Terms {
                    wait: wait.unwrap_or_default(),
                    force: cx.force,
                };
                let outcome = delete(cx, conn, &dev, terms);
                cx.changed(outcome)
            }
        }
    }
}

fn show(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    selector: Option<&PortSelector>,
) -> Result<(), Failure> {
    let found = link::listing(conn, selector);
    let listing = cx.or_empty(conn, found)?;
    let detail = cx.detail();
    let rows = listing.found.iter();
    cx.view
        .list(rows.map(|port| view::link::row(port, detail)))?;
    cx.missing(conn, listing.failed)
}

fn add(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    name: &RdmaName,
    driver: &str,
    netdev: &IfName,
) -> Result<(), Failure> {
    if cx.plan(|| format!("add {driver} device {name} on network interface {netdev}"))? {
        return Ok(());
    }
    link::add(conn, name, driver, netdev).map_err(|error| {
        let attempt = Attempt::AddLink {
            kind: driver,
            netdev: netdev.as_str(),
        };
        cx.explain(conn, error, attempt)
    })
}

fn delete(cx: &mut Context<'_>, conn: &mut Conn, name: &str, terms: Terms) -> Result<(), Failure> {
    let device = cx.find(conn, name)?;
    if cx.dry_run {
        let users = users::look(cx.host, conn, &device);
        let users = users.map_err(|error| cx.explain_plain(conn, error))?;
        cx.plan(|| planned(&device, users.as_ref(), terms))?;
        return Ok(());
    }
    removal::remove(cx.host, conn, &device, terms)
        .map_err(|error| cx.explain_removal(conn, error, &device.name))
}

fn planned(device: &Device, users: Option<&Users>, terms: Terms) -> String {
    let what = format!(
        "software RDMA device {} (index {})",
        device.name, device.index
    );
    let Some(users) = users.map(view::users::describe) else {
        return format!("delete {what}");
    };
    let wait = terms.wait.as_secs_f32();
    match (terms.wait.is_zero(), terms.force) {
        (true, false) => format!("not delete {what}, in use by {users}"),
        (true, true) => format!("delete {what}, in use by {users}"),
        (false, false) => {
            format!("wait {wait} s for nobody to use {what}, then delete it; now in use by {users}")
        }
        (false, true) => format!(
            "wait {wait} s for nobody to use {what}, then delete it in any case; now in use by {users}"
        ),
    }
}

//! `dev`: show, rename and move RDMA devices.

use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::reclaim::Reclaim;
use super::words::{WORDS, unmarked};
use super::{Context, Failure};
use crate::kernel::{Conn, Netns};
use crate::rdma::diagnosis::Attempt;
use crate::rdma::{RdmaError, device, system};
use crate::types::{Invalid, NetnsMode, RdmaName};
use crate::view;
use crate::wire::nldev::device::Device;

/// `enum rdma_nl_dev_type`: the kernel has one kind of sub-device.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum SubDevice {
    /// Sub-device for the subnet manager interface
    Smi,
}

/// RDMA devices: show, rename, move to a network namespace
#[derive(Debug, Clone, Args)]
pub(super) struct Dev {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Add a sub-device to a device
    #[command(override_usage = "rdmactl dev add <NAME> type <TYPE> parent <DEV>")]
    Add {
        /// Name of the new device
        #[arg(value_parser = name)]
        name: RdmaName,
        /// Kind of sub-device
        #[arg(long = "type", value_name = "TYPE", ignore_case = true, required = true, help_heading = WORDS)]
        kind: SubDevice,
        /// The device it belongs to
        #[arg(long, value_name = "DEV", required = true, help_heading = WORDS)]
        parent: String,
    },
    /// Delete a sub-device
    Delete {
        /// Name of the device
        #[arg(value_parser = plain)]
        dev: String,
    },
    /// Show devices
    #[command(visible_alias = "list")]
    Show {
        /// Only this device
        #[arg(value_parser = plain)]
        dev: Option<String>,
    },
    /// Change a device
    Set {
        /// Name of the device
        #[arg(value_parser = plain)]
        dev: String,
        #[command(subcommand)]
        what: Change,
    },
    /// Bring devices home from other network namespaces
    Reclaim(Reclaim),
}

#[derive(Debug, Clone, Subcommand)]
enum Change {
    /// Rename it
    Name {
        /// The new name
        #[arg(value_parser = name)]
        new: RdmaName,
    },
    /// Move it to a network namespace
    Netns {
        /// Name below /run/netns, path, or PID of a process in it
        #[arg(value_parser = plain)]
        netns: String,
    },
    /// Switch adaptive interrupt moderation
    AdaptiveModeration {
        /// `on` or `off`
        #[arg(action = ArgAction::Set, value_parser = on_off, value_name = "on|off")]
        on: bool,
    },
}

fn plain(word: &str) -> Result<String, std::convert::Infallible> {
    Ok(unmarked(word).to_owned())
}

fn name(word: &str) -> Result<RdmaName, Invalid> {
    unmarked(word).parse()
}

/// Here, and for the counters of queue pairs, iproute2 takes beginnings of the words.
pub(super) fn on_off(word: &str) -> Result<bool, Invalid> {
    match word {
        "" => Err(Invalid::new(word, "switch", "write on or off")),
        _ if "on".starts_with(word) => Ok(true),
        _ if "off".starts_with(word) => Ok(false),
        _ => Err(Invalid::new(word, "switch", "write on or off")),
    }
}

impl Dev {
    /// `dev show NAME`.
    pub(super) fn show(name: &str) -> Self {
        let Ok(dev) = plain(name);
        let verb = Some(Verb::Show { dev: Some(dev) });
        Self { verb }
    }

    pub(super) fn only_shows(&self) -> bool {
        matches!(self.verb, None | Some(Verb::Show { .. }))
    }

    pub(super) fn run(self, cx: &mut Context<'_>, conn: &mut Conn) -> Result<(), Failure> {
        let outcome = match self.verb.unwrap_or(Verb::Show { dev: None }) {
            Verb::Show { dev } => return show(cx, conn, dev.as_deref()),
            Verb::Reclaim(reclaim) => return reclaim.run(cx, conn),
            Verb::Set {
                dev,
                what: Change::Name { new },
            } => rename(cx, conn, &dev, &new),
            Verb::Set {
                dev,
                what: Change::Netns { netns },
            } => set_netns(cx, conn, &dev, &netns),
            Verb::Set {
                dev,
                what: Change::AdaptiveModeration { on },
            } => moderate(cx, conn, &dev, on),
            Verb::Add {
                name,
                kind: SubDevice::Smi,
                parent,
            } => add(cx, conn, &name, &parent),
            Verb::Delete { dev } => delete(cx, conn, &dev),
        };
        cx.changed(outcome)
    }
}

fn show(cx: &mut Context<'_>, conn: &mut Conn, name: Option<&str>) -> Result<(), Failure> {
    let found = match name {
        Some(name) => device::find(conn, name).map(|device| vec![device]),
        None => device::list(conn),
    };
    let devices = cx.or_empty(conn, found)?;
    let detail = cx.detail();
    let rows = devices.iter().map(|each| view::device::row(each, detail));
    Ok(cx.view.list(rows)?)
}

fn rename(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    name: &str,
    new: &RdmaName,
) -> Result<(), Failure> {
    let device = cx.find(conn, name)?;
    if cx.plan(|| {
        format!(
            "rename RDMA device {} (index {}) to {new}",
            device.name, device.index
        )
    })? {
        return Ok(());
    }
    device::rename(conn, &device, new).map_err(|error| cx.explain_plain(conn, error))
}

fn set_netns(cx: &mut Context<'_>, conn: &mut Conn, name: &str, word: &str) -> Result<(), Failure> {
    let device = match device::find(conn, name) {
        Err(RdmaError::NoSuchDevice { name }) => return set_netns_of_absent(cx, conn, &name, word),
        other => other.map_err(|error| cx.explain_plain(conn, error))?,
    };
    let target = Netns::open(cx.host, word).map_err(|error| cx.explain_netns(&error))?;
    let here = Netns::current(cx.host).map_err(|error| cx.explain_netns(&error))?;
    if here.id() == target.id() && is_exclusive(cx, conn)? {
        // The kernel would take it from its users to put it where it is.
        return Ok(());
    }
    if cx.plan(|| {
        let (name, index) = (&device.name, device.index);
        format!(
            "move RDMA device {name} (index {index}) to network namespace {word} ({})",
            target.id()
        )
    })? {
        return Ok(());
    }
    device::move_to(conn, &device, &target)
        .map_err(|error| cx.explain(conn, error, Attempt::Move(&target)))
}

/// A device that is not here may be where it is wanted.
fn set_netns_of_absent(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    name: &str,
    word: &str,
) -> Result<(), Failure> {
    let there = Netns::open(cx.host, word).ok().and_then(|target| {
        let found = target.within(|| device::find(&mut cx.host.rdma().ok()?, name).ok());
        found.ok().flatten()
    });
    if there.is_some() && is_exclusive(cx, conn)? {
        return Ok(());
    }
    Err(cx.explain_plain(
        conn,
        RdmaError::NoSuchDevice {
            name: name.to_owned(),
        },
    ))
}

fn is_exclusive(cx: &Context<'_>, conn: &mut Conn) -> Result<bool, Failure> {
    let system = system::get(conn).map_err(|error| cx.explain_plain(conn, error))?;
    Ok(system.netns_mode() == Some(NetnsMode::Exclusive))
}

fn moderate(cx: &mut Context<'_>, conn: &mut Conn, name: &str, on: bool) -> Result<(), Failure> {
    let device = cx.find(conn, name)?;
    let word = if on { "on" } else { "off" };
    if cx.plan(|| {
        format!(
            "switch adaptive moderation of RDMA device {} {word}",
            device.name
        )
    })? {
        return Ok(());
    }
    device::set_adaptive_moderation(conn, &device, on)
        .map_err(|error| cx.explain_plain(conn, error))
}

fn add(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    name: &RdmaName,
    parent: &str,
) -> Result<(), Failure> {
    let parent = cx.find(conn, parent)?;
    if cx.plan(|| format!("add SMI sub-device {name} to RDMA device {}", parent.name))? {
        return Ok(());
    }
    device::add_smi(conn, &parent, name)
        .map_err(|error| cx.explain(conn, error, Attempt::SubDevice(&parent.name)))
}

fn delete(cx: &mut Context<'_>, conn: &mut Conn, name: &str) -> Result<(), Failure> {
    let device = cx.find(conn, name)?;
    if cx.plan(|| format!("delete sub-device {} (index {})", device.name, device.index))? {
        return Ok(());
    }
    device::delete(conn, &device)
        .map_err(|error| cx.explain(conn, error, Attempt::SubDevice(&device.name)))
}

impl Context<'_> {
    /// The device of that name, or why there is none.
    pub(super) fn find(&self, conn: &mut Conn, name: &str) -> Result<Device, Failure> {
        device::find(conn, name).map_err(|error| self.explain_plain(conn, error))
    }
}

//! `system`: the namespace mode and the other settings of the subsystem.

use clap::{ArgAction, Args, Subcommand};

use super::{Context, Failure};
use crate::kernel::Conn;
use crate::rdma::system;
use crate::types::{Invalid, NetnsMode};
use crate::view;

/// Settings of the whole RDMA subsystem
#[derive(Debug, Args)]
pub(super) struct System {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the settings
    Show {
        /// Accepted as iproute2 does; all settings are shown
        #[arg(value_parser = setting, value_name = "netns|privileged-qkey|monitor")]
        what: Option<String>,
    },
    /// Change a setting
    Set {
        #[command(subcommand)]
        what: Change,
    },
}

#[derive(Debug, Subcommand)]
enum Change {
    /// Share every device with every network namespace, or give each to one
    Netns {
        /// `shared` or `exclusive`
        #[arg(value_name = "shared|exclusive")]
        mode: NetnsMode,
    },
    /// Let unprivileged users set privileged Q_Keys
    PrivilegedQkey {
        /// `on` or `off`
        #[arg(action = ArgAction::Set, value_parser = on_off, value_name = "on|off")]
        on: bool,
    },
}

fn setting(word: &str) -> Result<String, Invalid> {
    let known = ["netns", "privileged-qkey", "monitor"];
    if known.iter().any(|name| name.starts_with(word)) {
        return Ok(word.to_owned());
    }
    Err(Invalid::new(
        word,
        "setting",
        "write netns, privileged-qkey or monitor",
    ))
}

fn on_off(word: &str) -> Result<bool, Invalid> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Invalid::new(
            word,
            "switch",
            "valid options are: { on | off }",
        )),
    }
}

impl System {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let mut conn = cx.rdma()?;
        match self.verb.unwrap_or(Verb::Show { what: None }) {
            Verb::Show { what: _ } => show(cx, &mut conn),
            Verb::Set {
                what: Change::Netns { mode },
            } => set_mode(cx, &mut conn, mode),
            Verb::Set {
                what: Change::PrivilegedQkey { on },
            } => set_qkey(cx, &mut conn, on),
        }
    }
}

fn show(cx: &mut Context<'_>, conn: &mut Conn) -> Result<(), Failure> {
    let system = system::get(conn).map_err(|error| cx.explain(conn, error))?;
    Ok(cx.view.rows(&[view::system::row(&system)])?)
}

fn set_mode(cx: &mut Context<'_>, conn: &mut Conn, mode: NetnsMode) -> Result<(), Failure> {
    if cx.plan(|| format!("set the netns mode of the RDMA subsystem to {mode}"))? {
        return Ok(());
    }
    system::set_netns_mode(conn, mode).map_err(|error| cx.explain(conn, error))
}

fn set_qkey(cx: &mut Context<'_>, conn: &mut Conn, on: bool) -> Result<(), Failure> {
    let word = if on { "on" } else { "off" };
    if cx.plan(|| format!("set privileged-qkey of the RDMA subsystem {word}"))? {
        return Ok(());
    }
    system::set_privileged_qkey(conn, on).map_err(|error| cx.explain(conn, error))
}

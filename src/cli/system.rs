//! `system`: the namespace mode and the other settings of the subsystem.

use std::time::Duration;

use clap::{ArgAction, Args, Subcommand};

use super::{Context, Dialect, Failure};
use crate::kernel::Conn;
use crate::rdma::mode::{self, USUAL_PATIENCE, Wait};
use crate::rdma::{boot, persist, system};
use crate::types::{Invalid, NetnsMode};
use crate::view;

/// Settings of the whole RDMA subsystem
#[derive(Debug, Clone, Args)]
pub(super) struct System {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Clone, Subcommand)]
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

#[derive(Debug, Clone, Subcommand)]
enum Change {
    /// Share every device with every network namespace, or give each to one
    Netns {
        /// `shared` or `exclusive`
        #[arg(value_name = "shared|exclusive")]
        mode: NetnsMode,
        /// Wait this long for other namespaces to end (5 for dying ones if not given)
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        wait: Option<Duration>,
        /// Set it for every boot to come, too (modprobe.d)
        #[arg(long)]
        persist: bool,
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

/// A wait has an end: a day is more than any boot script means.
pub(super) fn seconds(word: &str) -> Result<Duration, Invalid> {
    let bad = || Invalid::new(word, "number of seconds", "write 0 to 86400");
    let seconds: f64 = word.parse().map_err(|_| bad())?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err(bad());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| bad())
}

impl System {
    pub(super) fn only_shows(&self) -> bool {
        matches!(self.verb, None | Some(Verb::Show { .. }))
    }

    pub(super) fn run(self, cx: &mut Context<'_>, conn: &mut Conn) -> Result<(), Failure> {
        match self.verb.unwrap_or(Verb::Show { what: None }) {
            Verb::Show { what: _ } => show(cx, conn),
            Verb::Set {
                what:
                    Change::Netns {
                        mode,
                        wait,
                        persist,
                    },
            } => {
                let wait = wait.map_or(Wait::Dying(USUAL_PATIENCE), Wait::All);
                set_mode(cx, conn, mode, wait, persist)
            }
            Verb::Set {
                what: Change::PrivilegedQkey { on },
            } => set_qkey(cx, conn, on),
        }
    }
}

fn show(cx: &mut Context<'_>, conn: &mut Conn) -> Result<(), Failure> {
    let system = system::get(conn).map_err(|error| cx.explain_plain(conn, error))?;
    let mut row = view::system::row(&system);
    // iproute2's -d adds nothing here, and neither do we under its name.
    if cx.details > 0 && cx.dialect == Dialect::Own {
        row.extend(view::boot::fields(&boot::settings(cx.host)));
    }
    Ok(cx.view.rows(&[row])?)
}

fn set_mode(
    cx: &mut Context<'_>,
    conn: &mut Conn,
    mode: NetnsMode,
    wait: Wait,
    persist: bool,
) -> Result<(), Failure> {
    let steps = match persist {
        true => persist::plan(cx.host, mode).map_err(|error| view::boot::explain(&error))?,
        false => Vec::new(),
    };
    let planned = cx.plan_all(|| {
        let files = steps.iter().map(view::boot::step);
        let now = format!("set the netns mode of the RDMA subsystem to {mode}");
        files.chain([now]).collect()
    })?;
    if planned {
        return Ok(());
    }
    if persist {
        // First: where the running mode cannot change, the next boot is the cure.
        persist::write(cx.host, &steps).map_err(|error| view::boot::explain(&error))?;
        let rows = view::boot::persisted(&steps, &boot::settings(cx.host), mode);
        cx.view.rows(&rows)?;
    }
    match mode::change(cx.host, conn, mode, wait) {
        Ok(_) => Ok(()),
        Err(error) => Err(cx.explain_mode(conn, error)),
    }
}

fn set_qkey(cx: &mut Context<'_>, conn: &mut Conn, on: bool) -> Result<(), Failure> {
    let word = if on { "on" } else { "off" };
    if cx.plan(|| format!("set privileged-qkey of the RDMA subsystem {word}"))? {
        return Ok(());
    }
    system::set_privileged_qkey(conn, on).map_err(|error| cx.explain_plain(conn, error))
}

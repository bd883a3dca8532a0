//! `cni`: what the plugins have on record, and how a node is made whole again.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::install::{Install, Uninstall};
use super::repair::{self as mending, kept, told};
use super::{Context, Failure};
use crate::attachment::register::{self, Entry};
use crate::attachment::repair;
use crate::view;

/// Attachments of the CNI plugins: who has which device, and what was left behind
#[derive(Debug, Clone, Args)]
pub(super) struct Cni {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Show the attachments on record, and how they stand
    List,
    /// End the attachments whose containers are gone, and those of an ADD that was cut off
    ///
    /// Their devices come home under their own names, with the GUIDs and the link state they had,
    /// and the records go. What a living container has stays, and so does what an ADD works on.
    /// Addresses stay reserved: the GC of the runtime, or of the IPAM plugin, releases them.
    Gc,
    /// Make the node whole after a crash: gc, and dev reclaim for what is on no record
    ///
    /// Attachments whose containers are gone end, as with gc, and RDMA devices that nobody has on
    /// record come home from namespaces without processes. What has processes in its namespace is
    /// left, also after an ADD that was cut off, and shown with who they are.
    Repair,
    /// Put the plugins into the CNI folder of a host, and stay until SIGTERM
    ///
    /// Each is written beside its place, run there with VERSION, and only then takes its place at
    /// once, also that of a plugin that is running. What cannot be installed leaves everything as
    /// it was. The options are those of the images of rdma-cni and ib-sriov-cni, with one dash too.
    Install(Install),
    /// Take the plugins out of the CNI folder again, where they are builds of this program
    Uninstall(Uninstall),
    /// Print a network configuration to begin with
    Conf {
        /// Which plugin: rdma behind another one, or ib-sriov
        plugin: Plugin,
        /// Name of the network
        #[arg(long, value_name = "NETWORK", default_value = "rdma-net")]
        name: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Plugin {
    /// Behind sriov, which makes the interface
    Rdma,
    /// InfiniBand VFs with their RDMA devices
    IbSriov,
}

impl Cni {
    /// Whether it changes nothing.
    pub(super) fn only_shows(&self) -> bool {
        !matches!(
            self.verb,
            Some(Verb::Gc | Verb::Repair | Verb::Install(_) | Verb::Uninstall(_))
        )
    }

    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        match self.verb.unwrap_or(Verb::List) {
            Verb::List => {
                let entries = register::list(cx.host).map_err(|error| told(&error))?;
                let rows: Vec<_> = entries.iter().map(view::attachment::row).collect();
                Ok(cx.view.rows(&rows)?)
            }
            Verb::Gc => gc(cx),
            Verb::Repair => mending::repair(cx),
            Verb::Install(install) => install.run(cx),
            Verb::Uninstall(uninstall) => uninstall.run(cx),
            Verb::Conf { plugin, name } => conf(cx, plugin, &name),
        }
    }
}

fn gc(cx: &mut Context<'_>) -> Result<(), Failure> {
    let entries = register::list(cx.host).map_err(|error| told(&error))?;
    let void: Vec<Entry> = entries
        .into_iter()
        .filter(|entry| entry.standing.is_void())
        .collect();
    if cx.plan_all(|| void.iter().map(view::attachment::step).collect())? {
        return Ok(());
    }
    let done = repair::end_all(cx.host, &void).map_err(|error| told(&error))?;
    for warning in done.warnings {
        cx.note(warning);
    }
    let failed = done.failed.iter();
    let failures: Vec<_> = failed.map(|(entry, error)| kept(entry, error)).collect();
    let rows: Vec<_> = done.ended.iter().map(view::attachment::ended).collect();
    cx.view.rows(&rows)?;
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::Several(failures))
}

fn conf(cx: &mut Context<'_>, plugin: Plugin, name: &str) -> Result<(), Failure> {
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if !plain
        || !name
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric)
    {
        let rule = "it has letters, digits, _, . and -, and begins with a letter or digit";
        return Err(crate::types::Invalid::new(name, "network name", rule).into());
    }
    let ipam = json!({"type": "host-local", "ranges": [[{"subnet": "10.56.0.0/24"}]]});
    let plugins: Vec<Value> = match plugin {
        Plugin::Rdma => vec![
            json!({"type": "sriov", "ipam": ipam}),
            json!({"type": "rdma"}),
        ],
        Plugin::IbSriov => vec![json!({
            "type": "ib-sriov", "link_state": "enable", "rdmaIsolation": true,
            "guidPolicy": "require", "capabilities": {"infinibandGUID": true}, "ipam": ipam,
        })],
    };
    let list = json!({"cniVersion": "1.0.0", "name": name, "plugins": plugins});
    let text = serde_json::to_string_pretty(&list).unwrap_or_default();
    Ok(cx.view.raw(&format!("{text}\n"))?)
}

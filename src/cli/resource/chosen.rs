//! `Chosen`: a kind of object with its selector and filters; made for clap from the table of keys.

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, Error, FromArgMatches, Subcommand};

use crate::cli::words::{WORDS, unmarked};
use crate::rdma::resource::{Filter, Selector, Takes, keys};
use crate::wire::nldev::resource::Kind;

/// Which objects are to be shown.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub kind: Kind,
    pub selector: Option<Selector>,
    pub filter: Filter,
}

const DEV: &str = "dev";
const LINK: &str = "link";

const FILTERS: &str = "N is a number or a list of numbers and ranges: 1,5-9. \
                       WORD may be a list too: rc,ud.";

/// Name and purpose, in iproute2's order.
fn about(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Qp => ("qp", "Queue pairs"),
        Kind::CmId => ("cm_id", "Connections of the connection manager"),
        Kind::Cq => ("cq", "Completion queues"),
        Kind::Mr => ("mr", "Memory regions"),
        Kind::Pd => ("pd", "Protection domains"),
        Kind::Ctx => ("ctx", "Contexts of processes"),
        Kind::Srq => ("srq", "Shared receive queues"),
        Kind::FrmrPools => ("frmr_pools", "Pools of fast registration memory regions"),
    }
}

fn command(kind: Kind) -> Command {
    let (name, about) = about(kind);
    let word = |name: &'static str, value: &'static str, help: &'static str| {
        let arg = Arg::new(name).long(name).value_name(value).help(help);
        arg.help_heading(WORDS)
    };
    let dev = word(DEV, "DEV", "Only this device").conflicts_with(LINK);
    let link = word(LINK, "DEV[/PORT]", "Only this device, or this port of it");
    // Short words mean what they mean in iproute2: its own selector comes first.
    let selectors = if kind.has_ports() {
        [link, dev]
    } else {
        [dev, link]
    };
    let filters = keys(kind).iter().map(|key| {
        let (value, hide) = match key.takes {
            Takes::Numbers => ("N", false),
            Takes::Words => ("WORD", false),
            Takes::Anything => ("ANY", true),
        };
        word(key.name, value, key.help).hide(hide)
    });
    Command::new(name)
        .about(about)
        .override_usage(format!("rdmactl resource show {name} [WORD VALUE]..."))
        .after_help(FILTERS)
        .args(selectors)
        .args(filters)
}

impl Subcommand for Chosen {
    fn augment_subcommands(parent: Command) -> Command {
        parent.subcommands(Kind::ALL.map(command))
    }

    fn augment_subcommands_for_update(parent: Command) -> Command {
        Self::augment_subcommands(parent)
    }

    fn has_subcommand(name: &str) -> bool {
        Kind::ALL.iter().any(|kind| about(*kind).0 == name)
    }
}

impl FromArgMatches for Chosen {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let missing = || Error::new(ErrorKind::MissingSubcommand);
        let (name, words) = matches.subcommand().ok_or_else(missing)?;
        let mut kinds = Kind::ALL.into_iter();
        let kind = kinds.find(|kind| about(*kind).0 == name);
        let kind = kind.ok_or_else(missing)?;
        let word = |name| words.get_one::<String>(name).map(String::as_str);
        let selector = match (word(DEV), word(LINK)) {
            (Some(word), _) => Some(Selector::Device(unmarked(word).to_owned())),
            (None, Some(word)) => Some(Selector::Link(unmarked(word).to_owned())),
            (None, None) => None,
        };
        let mut filter = Filter::default();
        for key in keys(kind) {
            if let Some(word) = word(key.name) {
                filter.add(key, word).map_err(|invalid| {
                    let text = format!("{}: {invalid}\n", key.name);
                    Error::raw(ErrorKind::ValueValidation, text)
                })?;
            }
        }
        Ok(Self {
            kind,
            selector,
            filter,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

//! The words of `statistic qp`, and the filter they make.

use clap::{Args, Subcommand};

use super::super::{Ports, numbers, port};
use crate::cli::dev::on_off;
use crate::cli::words::WORDS;
use crate::rdma::resource::words::qp_type as word_of;
use crate::types::{AutoCriteria, Invalid, NumberList, PortSelector};
use crate::wire::nldev::statistic::queue_pair::QpCounters;

/// The order is iproute2's.
#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli::statistic) enum Verb {
    /// Show counters and the queue pairs bound to them
    #[command(visible_alias = "list")]
    Show {
        #[command(subcommand)]
        what: Option<What>,
    },
    /// Show how queue pairs are bound
    Mode {
        #[command(subcommand)]
        ports: Option<Ports>,
    },
    /// Bind new queue pairs automatically, or no longer
    Set {
        #[command(subcommand)]
        what: Set,
    },
    /// Bind a queue pair to a counter
    Bind {
        #[command(subcommand)]
        what: Bind,
    },
    /// Take a queue pair from its counter
    Unbind {
        #[command(subcommand)]
        what: Unbind,
    },
}

impl Verb {
    /// `set link` with nothing behind it shows, as iproute2's does.
    pub(in crate::cli::statistic) fn only_shows(&self) -> bool {
        match self {
            Self::Show { .. } | Self::Mode { .. } => true,
            Self::Set {
                what: Set::Link { what, .. },
            } => what.is_none(),
            Self::Bind { .. } | Self::Unbind { .. } => false,
        }
    }
}

#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli::statistic) enum What {
    /// Only of this device or port
    Link(Filter),
}

#[derive(Debug, Clone, Args)]
#[command(override_usage = "rdmactl statistic qp show link [DEV[/PORT]] [KEY VALUE]...")]
pub(in crate::cli::statistic) struct Filter {
    /// Only this device, or this port of it
    #[arg(value_name = "DEV[/PORT]", value_parser = port)]
    pub(super) port: Option<PortSelector>,
    /// Only counters with these numbers
    #[arg(long, value_name = "NUMBERS", value_parser = numbers, help_heading = WORDS)]
    cntn: Option<NumberList>,
    /// Only counters of these queue pairs
    #[arg(long, value_name = "NUMBERS", value_parser = numbers, help_heading = WORDS)]
    lqpn: Option<NumberList>,
    /// Only counters of these processes
    #[arg(long, value_name = "NUMBERS", value_parser = numbers, help_heading = WORDS)]
    pid: Option<NumberList>,
    /// Only counters of these types of queue pairs
    #[arg(long, value_name = "TYPES", help_heading = WORDS)]
    qp_type: Option<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli::statistic) enum Set {
    /// Of this device or port
    Link {
        /// Only this device, or this port of it
        #[arg(value_name = "DEV[/PORT]", value_parser = port)]
        port: Option<PortSelector>,
        #[command(subcommand)]
        what: Option<Change>,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli::statistic) enum Change {
    /// Bind every new queue pair to a counter by these criteria
    #[command(
        override_usage = "rdmactl stat qp set link <DEV> auto <CRITERIA> on [KEY VALUE]\n       \
                          rdmactl stat qp set link <DEV> auto off"
    )]
    Auto {
        /// `type`, `pid`, `type,pid` or `off`
        #[arg(value_parser = auto)]
        criteria: AutoCriteria,
        /// `on`
        #[arg(value_name = "on", value_parser = on)]
        on: Option<bool>,
        /// Whether optional counters are bound too
        #[arg(long, value_name = "on|off", value_parser = on_off, action = clap::ArgAction::Set, help_heading = WORDS)]
        optional_counters: Option<bool>,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli::statistic) enum Bind {
    /// On this port
    #[command(
        override_usage = "rdmactl statistic qp bind link <DEV/PORT> lqpn <NUMBER> [cntn <NUMBER>]"
    )]
    Link {
        /// The port; `DEV` will do where the device has one port
        #[arg(value_name = "DEV/PORT", value_parser = port)]
        port: PortSelector,
        /// The queue pair
        #[arg(long, value_name = "NUMBER", required = true, help_heading = WORDS)]
        lqpn: u32,
        /// The counter; a new one if not given
        #[arg(long, value_name = "NUMBER", help_heading = WORDS)]
        cntn: Option<u32>,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli::statistic) enum Unbind {
    /// On this port
    #[command(
        override_usage = "rdmactl statistic qp unbind link <DEV/PORT> cntn <NUMBER> [lqpn <NUMBER>]"
    )]
    Link {
        /// The port; `DEV` will do where the device has one port
        #[arg(value_name = "DEV/PORT", value_parser = port)]
        port: PortSelector,
        /// The counter
        #[arg(long, value_name = "NUMBER", required = true, help_heading = WORDS)]
        cntn: u32,
        /// The queue pair; all of the counter's if not given
        #[arg(long, value_name = "NUMBER", help_heading = WORDS)]
        lqpn: Option<u32>,
    },
}

/// As iproute2, takes beginnings of `off`.
fn auto(word: &str) -> Result<AutoCriteria, Invalid> {
    if !word.is_empty() && "off".starts_with(word) {
        return Ok(AutoCriteria::OFF);
    }
    word.parse()
}

fn on(word: &str) -> Result<bool, Invalid> {
    match on_off(word) {
        Ok(true) => Ok(true),
        _ => Err(Invalid::new(word, "switch", "write on, or auto off")),
    }
}

impl Filter {
    pub(super) fn shows(&self, counters: &QpCounters) -> bool {
        let has = |list: &Option<NumberList>, number: Option<u32>| match list {
            Some(list) => list.has(number.map(u64::from)),
            None => true,
        };
        let lqpn = match &self.lqpn {
            Some(list) => counters.lqpns.iter().any(|lqpn| list.has(u64::from(*lqpn))),
            None => true,
        };
        let qp_type = match (&self.qp_type, counters.qp_type.map(word_of)) {
            (Some(list), Some(name)) => list.split(',').any(|word| word.eq_ignore_ascii_case(name)),
            (Some(_), None) => false,
            (None, _) => true,
        };
        has(&self.cntn, Some(counters.id)) && has(&self.pid, counters.pid) && lqpn && qp_type
    }
}

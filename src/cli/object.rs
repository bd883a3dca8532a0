//! `Object`: what a command is about, in the order of iproute2's table.

use clap::Subcommand;

use super::reader::{Grammar, Later};
use super::{
    cni, completions, dev, doctor, link, monitor, provision, resource, statistic, system, topology,
    vf,
};

/// The order is iproute2's: the first object that begins with a shortened word is meant.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum Object {
    /// RDMA devices: show, rename, move to a network namespace
    Dev(Later<dev::Dev>),
    /// Ports, and software devices on network interfaces
    Link(Later<link::Link>),
    /// Objects that the kernel tracks: queue pairs, memory regions, ...
    Resource(Later<resource::Resource>),
    /// Settings of the whole RDMA subsystem
    System(Later<system::System>),
    /// Counters of ports, queue pairs and memory regions
    Statistic(Later<statistic::Statistic>),
    /// Tell what changes, as it changes
    Monitor(Later<monitor::Monitor>),
    /// Virtual functions: how many a PF has, what they are given, and their drivers
    Vf(Later<vf::Vf>),
    /// Declared hosts: what is left to do, what is there, and the addresses of all VFs
    Provision(Later<provision::Provision>),
    /// What sits on what: functions, RDMA devices, interfaces, and who holds them
    #[command(visible_alias = "map")]
    Topology(Later<topology::Topology>),
    /// Attachments of the CNI plugins: who has which device, and what was left behind
    Cni(Later<cni::Cni>),
    /// Examine the host and say what is wrong and how to mend it; nothing is changed
    Doctor(Later<doctor::Doctor>),
    /// Print what makes a shell complete commands, options, and the names that are there
    Completions(Later<completions::Completions>),
}

impl Object {
    /// The command, if the words are no more than `dev show NAME` or `link show NAME` written out: batches have such
    /// lines by the thousand, and clap takes longer to read one than the kernel to answer it.
    pub(super) fn plainly(words: &[String]) -> Option<Self> {
        let [object, verb, name] = words else {
            return None;
        };
        if !matches!(verb.as_str(), "show" | "list") || name.is_empty() || name.starts_with('-') {
            return None;
        }
        match object.as_str() {
            "dev" => Some(Self::Dev(Later(dev::Dev::show(name)))),
            "link" => Some(Self::Link(Later(link::Link::show(name)))),
            _ => None,
        }
    }

    /// How the words of the object with this name are read.
    pub(super) fn grammar(name: &str) -> Option<Grammar> {
        Some(match name {
            "dev" => Grammar::of(Self::Dev),
            "link" => Grammar::of(Self::Link),
            "resource" => Grammar::of(Self::Resource),
            "system" => Grammar::of(Self::System),
            "statistic" => Grammar::of(Self::Statistic),
            "monitor" => Grammar::of(Self::Monitor),
            "vf" => Grammar::of(Self::Vf),
            "provision" => Grammar::of(Self::Provision),
            "topology" => Grammar::of(Self::Topology),
            "cni" => Grammar::of(Self::Cni),
            "doctor" => Grammar::of(Self::Doctor),
            "completions" => Grammar::of(Self::Completions),
            _ => return None,
        })
    }
}

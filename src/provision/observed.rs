//! `Observed`: what is there of what a document is about, as the planner wants to know it.

use std::collections::BTreeMap;

use super::firmware::Standing;
use crate::kernel::Namespace;
use crate::kernel::modules::Availability;
use crate::rdma::boot::BootSettings;
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::pf::Pf;
use crate::sriov::report::Gap;
use crate::sriov::usage::{Usage, Use};
use crate::sriov::vf_side::VfSide;
use crate::types::{EswitchMode, Guid, Mac, ModuleName, PciAddr};
use crate::wire::link::vf::Vf as Told;

/// A host, as far as a document goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// What is not of one PF.
    pub host: HostState,
    /// What each entry of the document found, in its order.
    pub pfs: Vec<Found>,
    /// The firmware of cards that offer too little, each by one PF of it, where it may be changed.
    pub firmware: BTreeMap<PciAddr, Standing>,
}

/// What is not of one PF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostState {
    /// The namespace mode: running, and where the document asks for one, configured and after a boot.
    pub netns: BootSettings,
    /// Network namespaces beside the initial one: while there is one, the mode is fixed.
    pub other_namespaces: usize,
    /// Those of them that were found.
    pub namespaces: Vec<Namespace>,
    /// The modules that a document asks for, and `ib_ipoib` where a PF has no interface.
    pub modules: BTreeMap<ModuleName, Availability>,
}

/// What an entry of a document found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No function is meant.
    Nothing,
    /// More than one is meant.
    Several(Vec<PciAddr>),
    /// The one.
    One(Box<PfState>),
}

/// A PF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PfState {
    /// Its address, how many VFs it can have, and those it has.
    pub pf: Pf,
    /// What people call it: its interface, RDMA device or address.
    pub name: String,
    /// Its driver.
    pub driver: Option<String>,
    /// What it speaks.
    pub layer: Option<LinkLayer>,
    /// Its port GUID, on InfiniBand.
    pub guid: Option<Guid>,
    /// The permanent address of its interface, on Ethernet.
    pub mac: Option<Mac>,
    /// Whether new VFs are offered to drivers (`sriov_drivers_autoprobe`).
    pub probing: bool,
    /// They were, before an `apply` that has not ended: it kept drivers away, and is gone.
    pub left_off: bool,
    /// Whether its interface is up; `None` where it has none that can be seen.
    pub up: Option<bool>,
    /// The mode of its switch, where somebody asked and it has one.
    pub eswitch: Option<EswitchMode>,
    /// How many interrupt vectors its VFs have, by index, where somebody asked and may know.
    pub vectors: BTreeMap<u16, u16>,
    /// What it tells of its VFs, by index.
    pub told: BTreeMap<u16, Told>,
    /// Why it does not tell of all.
    pub gap: Option<Gap>,
    /// What each VF shows itself, by index.
    pub sides: BTreeMap<u16, VfSide>,
    /// Who uses its VFs; `None` when nobody asked.
    pub usage: Option<Usage>,
}

impl Found {
    /// The PF, if it is one.
    pub fn one(&self) -> Option<&PfState> {
        match self {
            Self::One(state) => Some(state),
            Self::Nothing | Self::Several(_) => None,
        }
    }
}

impl PfState {
    /// What it goes by, as the files of other managers may name it.
    pub fn words(&self) -> Vec<String> {
        let mac = self.mac.map(|mac| mac.to_string());
        let both = [self.name.clone(), self.pf.address.to_string()];
        both.into_iter().chain(mac).collect()
    }

    /// Who uses the VF with this index, as far as somebody asked.
    pub fn uses(&self, index: u16) -> Vec<Use> {
        let uses = self.usage.iter().flat_map(|usage| usage.uses.iter());
        uses.filter(|each| each.vf.index == index)
            .cloned()
            .collect()
    }
}

//! `Document`: what a host is to have, as its owner declared it.

mod addresses;
mod doubles;
mod fault;
mod function;
mod node;
mod pf;
mod reader;
mod shared;
mod source;
#[cfg(test)]
mod tests;
mod top;
mod vf;

use std::path::PathBuf;
use std::time::Duration;

use crate::sriov::link_layer::LinkLayer;
use crate::sriov::wish::Wish;
use crate::types::{DriverName, EswitchMode, Guid, IfName, Mac, ModuleName, NetnsMode, PciAddr};

pub use fault::{Fault, Place};
pub use source::{DocumentError, FOLDER, MAIN, Origin, read, text_of};
pub use top::{Language, Part, parse};

/// A whole document: one file, or a main file and those that add PFs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The namespace mode of the RDMA subsystem; `None` leaves it.
    pub rdma_netns: Option<NetnsMode>,
    /// Modules to be loaded, in this order.
    pub modules: Vec<ModuleName>,
    /// What keeps derived addresses of two fabrics apart; empty for one.
    pub site: String,
    /// GUIDs that others hand out: no VF gets one of them, first and last of each run.
    pub reserved: Vec<(Guid, Guid)>,
    /// What may be done to reach it.
    pub policy: Policy,
    /// The PFs; none other is touched.
    pub pfs: Vec<PfEntry>,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// To what is there.
    pub disruptive: Disruptive,
    /// To firmware.
    pub firmware: Firmware,
    /// How long to wait for a PF, and for the devices of its VFs.
    pub wait: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            disruptive: Disruptive::Never,
            firmware: Firmware::Check,
            wait: Duration::from_secs(120),
        }
    }
}

/// What may be taken from whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disruptive {
    /// VFs are never removed; a VF that nobody uses may get its driver anew.
    Never,
    /// VFs that nobody uses may be removed too.
    IfIdle,
    /// VFs may be taken from their users.
    Force,
}

/// What is done about firmware settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// Nothing; what it does not offer fails when it is asked for.
    Unmanaged,
    /// It is compared with what the PF offers.
    Check,
    /// It is changed where it offers too little; it is never reset.
    Write,
}

/// Whose a PF is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Ours: number of VFs and all.
    Full,
    /// Somebody else makes the VFs; they get their addresses and drivers here.
    VfsOnly,
    /// Nothing of it is changed; it is compared.
    Observe,
}

/// How many VFs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Number(u16),
    /// As many as the PF offers.
    Max,
}

/// Which function an entry is about; every condition has to hold, and one function to be left.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Match {
    /// GUID of the first port of its RDMA device.
    pub guid: Option<Guid>,
    /// PCI address.
    pub pci: Option<PciAddr>,
    /// Permanent MAC address of its interface.
    pub perm_mac: Option<Mac>,
    /// Name of its interface.
    pub netdev: Option<IfName>,
    /// PCI vendor and device.
    pub vendor_device: Option<(u16, u16)>,
    /// The serial number of its card, which the other ports of the card have too.
    pub serial: Option<String>,
}

/// Where the addresses of VFs come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme<T> {
    /// From the PF's own.
    Derived,
    /// The first for VF 0, one more for each VF, to the last.
    Range {
        /// Of VF 0.
        start: T,
        /// The last that may be given.
        end: T,
    },
    /// One for each VF, by index.
    List(Vec<T>),
    /// Those that the file of the SR-IOV network operator has for the PF. Whoever reads a document
    /// puts the list or range in its place.
    File(PathBuf),
    /// What a VF has it keeps; one without gets one from the PF's own.
    Keep,
    /// They are not looked at.
    Unmanaged,
}

/// Which driver a VF is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriverWish {
    /// The one that the kernel gives it.
    Default,
    /// None.
    None,
    /// This one.
    Named(DriverName),
    /// Whichever it has.
    Unmanaged,
}

/// What a VF is to have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VfWish {
    /// Its driver.
    pub driver: Option<DriverWish>,
    /// How many interrupt vectors its PF is to give it.
    pub msix: Option<u16>,
    /// It is left to others, whatever it has.
    pub is_left: bool,
    /// What its PF is to give it.
    pub wish: Wish,
}

/// Some VFs of a PF, and what they are to have beside the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VfEntry {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
    /// What they are to have.
    pub vf: VfWish,
}

/// One PF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PfEntry {
    /// Where the document has it.
    pub place: Place,
    /// Which it is.
    pub function: Match,
    /// It may be missing.
    pub optional: bool,
    /// What it has to speak.
    pub layer: Option<LinkLayer>,
    /// Whose it is.
    pub ownership: Ownership,
    /// How many VFs it is to have; `None` leaves them.
    pub num_vfs: Option<Count>,
    /// How many its firmware has to offer at least.
    pub total_vfs: Option<u16>,
    /// The mode of its switch; `None` leaves it.
    pub eswitch: Option<EswitchMode>,
    /// Its interface is to be up.
    pub up: bool,
    /// The GUIDs of its VFs, on InfiniBand.
    pub guid: Scheme<Guid>,
    /// The MAC addresses of its VFs, on Ethernet.
    pub mac: Scheme<Mac>,
    /// What all its VFs are to have.
    pub defaults: VfWish,
    /// What some are to have.
    pub vfs: Vec<VfEntry>,
}

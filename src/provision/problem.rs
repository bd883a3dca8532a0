//! `Problem`: why a PF cannot become what is declared, whatever is done to it.

use crate::sriov::link_layer::LinkLayer;
use crate::sriov::wish::Unfit;
use crate::types::{EswitchMode, PciAddr};

use super::document::Place;
use super::firmware::judgement::Obstacle;

/// Why there is no way from what is there to what is declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No function meets the conditions.
    #[error("no PF on this host is the one that is meant")]
    Absent,
    /// Several do.
    #[error("{} PFs on this host are meant: {}", .0.len(), listed(.0))]
    Several(Vec<PciAddr>),
    /// Two entries mean this one.
    #[error("the entry at {other} means the same PF")]
    Twice {
        /// The other one.
        other: Place,
    },
    /// No driver is bound to the PF.
    #[error("no driver is bound to the PF")]
    NoDriver,
    /// It cannot be told whether it is InfiniBand or Ethernet.
    #[error("nothing says whether the PF is InfiniBand or Ethernet")]
    UnknownLayer,
    /// It speaks another one than is declared.
    #[error("the PF is {is}, and {wanted} is declared")]
    WrongLayer {
        /// What it speaks.
        is: LinkLayer,
        /// What is declared.
        wanted: LinkLayer,
    },
    /// The firmware offers fewer VFs than are wanted.
    #[error("{wanted} VFs are declared, and {}", offers(*.offered))]
    TooFewOffered {
        /// What is declared.
        wanted: u16,
        /// `sriov_totalvfs`.
        offered: u16,
    },
    /// The firmware offers too little, and cannot be asked.
    #[error("the firmware of the card offers too little, and cannot be asked: {0}")]
    FirmwareUnknown(String),
    /// The firmware offers too little, and cannot be changed.
    #[error("the firmware of the card needs {key} to be {to}, and {}", .obstacle.words())]
    FirmwareFixed {
        /// The setting.
        key: String,
        /// Why it cannot be changed.
        obstacle: Obstacle,
        /// What it would have to be.
        to: u64,
    },
    /// Somebody else makes the VFs, and has made another number.
    #[error("{wanted} VFs are declared and {is} are there; another manager makes them")]
    NotOurs {
        /// What is declared.
        wanted: u16,
        /// What is there.
        is: usize,
    },
    /// Somebody else makes the VFs, and has set another mode.
    #[error(
        "eswitch = \"{wanted}\" is declared, and the switch is {is}; another manager makes the VFs"
    )]
    WrongEswitch {
        /// What it is.
        is: EswitchMode,
        /// What is declared.
        wanted: EswitchMode,
    },
    /// There is no switch whose mode could be set.
    #[error("eswitch is declared, and the driver of the PF has no switch whose mode can be set")]
    NoEswitch,
    /// There are not addresses enough.
    #[error("there are {room} {what}s for {vfs} VFs")]
    Room {
        /// `GUID`, `MAC address`.
        what: &'static str,
        /// How many there are.
        room: u64,
        /// For how many.
        vfs: u16,
    },
    /// The PF does not say what addresses could follow from.
    #[error("the PF has no {what} that those of its VFs could follow from")]
    NoIdentity {
        /// `port GUID`, `permanent MAC address`.
        what: &'static str,
    },
    /// Its VFs would need more derived addresses than there are.
    #[error("no {what} can be derived for VF {index}")]
    BeyondScheme {
        /// `GUID`, `MAC address`.
        what: &'static str,
        /// The first without one.
        index: u16,
    },
    /// Two VFs would get the same address.
    #[error("VF {index} would get {address}, which VF {other_index} of {other} gets")]
    Double {
        /// The VF.
        index: u16,
        /// What it would get.
        address: String,
        /// Whose the other VF is.
        other: String,
        /// The other VF.
        other_index: u16,
    },
    /// What is declared for a VF makes no sense for it.
    #[error("VF {index}: {why}")]
    Unfit {
        /// The VF.
        index: u16,
        /// Why.
        why: Unfit,
    },
    /// It has no interface, which is to be up, or to give its VFs what they are to have.
    #[error("the PF has no network interface")]
    NoUplink,
    /// The kernel does not have a module.
    #[error("the running kernel has no module {0}")]
    NoModule(String),
}

impl Problem {
    /// Whether it may pass with time alone: at boot, devices come one after the other.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Absent
                | Self::NoDriver
                | Self::UnknownLayer
                | Self::NoIdentity { .. }
                | Self::NoUplink
        )
    }
}

fn offers(offered: u16) -> String {
    match offered {
        0 => "the firmware of the PF, or the BIOS, has SR-IOV switched off".to_owned(),
        offered => format!("the firmware of the PF offers {offered}"),
    }
}

fn listed(addresses: &[PciAddr]) -> String {
    let words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    words.join(", ")
}

/// A problem, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Where the document has the PF; `None` for the host.
    pub place: Option<Place>,
    /// The PF, where it was found.
    pub pf: Option<PciAddr>,
    /// What is wrong.
    pub problem: Problem,
}

//! `Step`: one change of a plan, what it costs, and who stands in its way.

use crate::sriov::usage::{Usage, Use};
use crate::types::{DriverName, EswitchMode, ModuleName, NetnsMode, PciAddr};
use crate::wire::link::vf::VfSetting;

/// What a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// The host.
    Host,
    /// A PF.
    Pf(PciAddr),
    /// A VF, by the address of its PF and its index: it may not exist yet.
    Vf(PciAddr, u16),
}

impl Target {
    /// The PF that it is, or is of.
    pub fn pf(self) -> Option<PciAddr> {
        match self {
            Self::Host => None,
            Self::Pf(pf) | Self::Vf(pf, _) => Some(pf),
        }
    }
}

/// What is done, from what is there to what shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A module is loaded.
    LoadModule(ModuleName),
    /// The files of modprobe get the namespace mode.
    PersistNetns {
        /// What they say; `None` when they say nothing.
        from: Option<NetnsMode>,
        /// What they shall.
        to: NetnsMode,
    },
    /// The subsystem gets the namespace mode.
    SetNetns {
        /// What runs; `None` while ib_core is not loaded.
        from: Option<NetnsMode>,
        /// What shall.
        to: NetnsMode,
    },
    /// A setting of a card's firmware is changed.
    SetFirmware {
        /// The setting.
        key: String,
        /// What the firmware works with.
        from: Option<u64>,
        /// What it shall work with after a reset.
        to: u64,
    },
    /// A setting that is changed takes effect: nothing that is done here.
    ResetFirmware {
        /// The setting.
        key: String,
        /// What the firmware works with.
        from: Option<u64>,
        /// What it will work with.
        to: u64,
    },
    /// The interface of a PF is switched on.
    BringUp,
    /// It is switched off again: the way back alone.
    BringDown,
    /// New VFs are offered to drivers from here on, or are not: `sriov_drivers_autoprobe`.
    Probing {
        /// Whether.
        to: bool,
    },
    /// The switch of a PF gets another mode.
    SetEswitch {
        /// The one it has, where it tells.
        from: Option<EswitchMode>,
        /// The one it shall have.
        to: EswitchMode,
    },
    /// All VFs of a PF are removed.
    Remove {
        /// How many.
        from: usize,
    },
    /// A PF that has none gets VFs.
    Create {
        /// How many.
        to: u16,
    },
    /// A PF gives its VF a property.
    Set {
        /// What it has; `None` when the PF does not tell, or the VF is new.
        from: Option<VfSetting>,
        /// What it shall have.
        to: VfSetting,
    },
    /// A VF gets so many interrupt vectors.
    SetMsix {
        /// How many it has; `None` when that is not known, or the VF is new.
        from: Option<u16>,
        /// How many it shall have.
        to: u16,
    },
    /// A VF loses its driver.
    Unbind {
        /// Which.
        from: String,
    },
    /// A VF gets a driver.
    Bind {
        /// Which; `None` for the one that the kernel gives it.
        to: Option<DriverName>,
    },
}

/// What a step costs, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Nothing that works stops.
    Safe,
    /// A VF loses its driver for a moment, or goes by another address.
    Rebind,
    /// VFs go away, and whatever they were used for.
    DestroysVfs,
    /// It counts after a reboot.
    Reboot,
    /// It counts after the machine was without power.
    PowerCycle,
}

impl Class {
    /// The word of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Rebind => "rebind",
            Self::DestroysVfs => "destroys-vfs",
            Self::Reboot => "reboot",
            Self::PowerCycle => "power-cycle",
        }
    }
}

/// Why a step is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The document says so, and it is not so.
    Declared,
    /// Without it the PF cannot give its VFs GUIDs.
    NeededForGuids,
    /// What runs must be there after the next boot too.
    NextBoot,
    /// What is set before a driver comes is right from the start.
    BeforeDrivers,
    /// Everything is set: drivers may come.
    AfterSettings,
    /// The kernel changes the number through 0 only.
    ThroughZero {
        /// How many are wanted.
        wanted: u16,
    },
    /// The VF is new.
    NewVf,
    /// The PF does not tell what the VF has.
    NotTold,
    /// A driver asks for addresses only when it is bound.
    NewAddress,
    /// Interrupt vectors are shared out among VFs without drivers.
    NewVectors,
    /// The mode of the switch changes among VFs without drivers.
    EswitchMode,
    /// The driver of the PF changes the mode of the switch while there are no VFs.
    EswitchFirst,
    /// Another driver is declared.
    OtherDriver,
    /// It has no driver.
    NoDriver,
    /// It was so before.
    WasBefore,
    /// An apply that was ended half-way had kept drivers away.
    LeftOff,
}

/// Why a step will not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// The document does not allow it: `disruptive = "never"`.
    Policy,
    /// Somebody uses what it would take.
    InUse,
    /// It is not known who uses what it would take.
    UsageUnknown,
    /// Nobody that can be seen uses what it would take, and not everybody can be seen.
    Unseen,
    /// It is for people to restart the machine, or to take its power.
    Reset,
    /// Network namespaces exist, so many beside the initial one.
    Namespaces(usize),
    /// The document only compares this PF: `ownership = "observe"`.
    Observed,
    /// A step before it will not be done.
    Earlier,
}

impl Block {
    /// What keeps from taking something that is `used`, unless nobody uses it.
    pub fn unless_idle(usage: Option<&Usage>, used: bool) -> Option<Self> {
        match usage {
            None => Some(Self::UsageUnknown),
            Some(_) if used => Some(Self::InUse),
            Some(usage) => (usage.hidden > 0).then_some(Self::Unseen),
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Of what.
    pub target: Target,
    /// Which.
    pub action: Action,
    /// What it costs.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// Why not, if it will not be done.
    pub blocked: Option<Block>,
    /// Who uses what it would touch.
    pub users: Vec<Use>,
}

impl Step {
    /// A step that costs nothing.
    pub(in crate::provision) fn safe(target: Target, action: Action, reason: Reason) -> Self {
        Self {
            target,
            action,
            class: Class::Safe,
            reason,
            blocked: None,
            users: Vec::new(),
        }
    }
}

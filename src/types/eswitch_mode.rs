//! `EswitchMode`: who forwards between the VFs of a PF, the adapter alone or the host's rules.

use std::fmt;

/// The mode of the switch in an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EswitchMode {
    /// The adapter forwards by address and VLAN (`DEVLINK_ESWITCH_MODE_LEGACY`).
    Legacy,
    /// Each VF has a representor on the host (`DEVLINK_ESWITCH_MODE_SWITCHDEV`).
    Switchdev,
}

impl EswitchMode {
    /// The word of it, as devlink prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Switchdev => "switchdev",
        }
    }

    /// The mode of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        let both = [Self::Legacy, Self::Switchdev];
        both.into_iter().find(|mode| mode.as_str() == word)
    }

    /// The number of it (`uapi/linux/devlink.h`).
    pub const fn number(self) -> u16 {
        match self {
            Self::Legacy => 0,
            Self::Switchdev => 1,
        }
    }

    /// The mode of a number; newer kernels have one more, in which nothing is forwarded yet.
    pub const fn of_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Legacy),
            1 => Some(Self::Switchdev),
            _ => None,
        }
    }
}

impl fmt::Display for EswitchMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

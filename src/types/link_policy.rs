//! `LinkPolicy`: what the link of a VF follows.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// The `state` of a VF: `IFLA_VF_LINK_STATE_*` (`uapi/linux/if_link.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LinkPolicy {
    /// The link follows the PF's port.
    Auto,
    /// The link is up whatever the port does, so that VFs of one adapter reach each other.
    Enable,
    /// The link is down.
    Disable,
}

impl LinkPolicy {
    /// Every policy, by the kernel's number.
    const ALL: [Self; 3] = [Self::Auto, Self::Enable, Self::Disable];

    /// The policy with the kernel's number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The kernel's number.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The word of `ip link`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }
}

impl fmt::Display for LinkPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LinkPolicy {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|each| each.as_str() == word);
        found.ok_or_else(|| Invalid::new(word, "link state", "write auto, enable or disable"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers() {
        for (number, word) in [(0, "auto"), (1, "enable"), (2, "disable")] {
            let policy: LinkPolicy = word.parse().unwrap();
            assert_eq!(
                (policy.number(), policy.to_string().as_str()),
                (number, word)
            );
            assert_eq!(LinkPolicy::from_number(number), Some(policy));
        }
        assert_eq!(LinkPolicy::from_number(3), None);
        assert_eq!(LinkPolicy::from_number(u32::MAX), None);
        assert!("up".parse::<LinkPolicy>().is_err());
    }
}

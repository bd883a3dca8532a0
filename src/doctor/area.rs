//! `Area`: a part of the host that can be examined by itself.

use std::fmt;
use std::str::FromStr;

use crate::types::Invalid;

/// A part of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Area {
    /// The running kernel.
    Kernel,
    /// Its modules.
    Modules,
    /// The namespace mode, now and after a boot.
    Netns,
    /// The names of RDMA devices.
    Names,
    /// What devices can do.
    Devices,
    /// VFs and their identities.
    Vfs,
    /// Ports.
    Ports,
    /// What the caller may do and see.
    Privilege,
    /// The programs in the CNI folders.
    Plugins,
    /// The configuration files of CNI.
    Chains,
    /// What CNI plugins have on record.
    Leases,
    /// Others that manage SR-IOV.
    Managers,
}

impl Area {
    /// Every area, in the order in which they are told.
    pub const ALL: [Self; 12] = [
        Self::Kernel,
        Self::Modules,
        Self::Netns,
        Self::Names,
        Self::Devices,
        Self::Vfs,
        Self::Ports,
        Self::Privilege,
        Self::Plugins,
        Self::Chains,
        Self::Leases,
        Self::Managers,
    ];

    /// The word of the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Modules => "modules",
            Self::Netns => "netns",
            Self::Names => "names",
            Self::Devices => "devices",
            Self::Vfs => "vfs",
            Self::Ports => "ports",
            Self::Privilege => "privilege",
            Self::Plugins => "plugins",
            Self::Chains => "chains",
            Self::Leases => "leases",
            Self::Managers => "managers",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Area {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|area| area.as_str() == word);
        let rule = "write kernel, modules, netns, names, devices, vfs, ports, privilege, plugins, \
                    chains, leases or managers";
        found.ok_or_else(|| Invalid::new(word, "area", rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_an_area_and_stands_in_the_rule() {
        let rule = "".parse::<Area>().unwrap_err().rule;
        for area in Area::ALL {
            assert_eq!(area.to_string().parse::<Area>(), Ok(area));
            assert!(rule.contains(area.as_str()), "{area}");
        }
    }
}

//! `NetnsMode`: whether RDMA devices are seen in every network namespace or in one only.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// The namespace mode of the whole RDMA subsystem (`RDMA_NLDEV_SYS_ATTR_NETNS_MODE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetnsMode {
    /// Every device is visible in every namespace; the kernel's default.
    Shared,
    /// A device is visible in the one namespace it belongs to, and can be moved.
    Exclusive,
}

impl NetnsMode {
    /// The word of iproute2.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
        }
    }
}

impl fmt::Display for NetnsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NetnsMode {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        match word {
            "shared" => Ok(Self::Shared),
            "exclusive" => Ok(Self::Exclusive),
            _ => Err(Invalid::new(
                word,
                "netns mode",
                "valid options are: { shared | exclusive }",
            )),
        }
    }
}

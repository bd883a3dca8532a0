//! `DeviceId`: a function of the PCI bus or a device of the auxiliary bus.

use std::fmt;
use std::str::FromStr;

use super::{AuxName, Invalid, PciAddr};

/// What an RDMA device sits on, as a device plugin names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceId {
    /// A PCI function.
    Pci(PciAddr),
    /// A scalable function or another auxiliary device.
    Auxiliary(AuxName),
}

impl fmt::Display for DeviceId {
    /// As in sysfs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pci(address) => address.fmt(f),
            Self::Auxiliary(name) => name.fmt(f),
        }
    }
}

impl FromStr for DeviceId {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        word.parse()
            .map(Self::Pci)
            .or_else(|_| word.parse().map(Self::Auxiliary))
            .map_err(|_: Invalid| {
                let rule = "write a PCI address, as 0000:01:10.2, or an auxiliary device, as mlx5_core.sf.4";
                Invalid::new(word, "device ID", rule)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_bus_and_no_path() {
        for (word, shown) in [
            ("0000:AF:00.1", "0000:af:00.1"),
            ("mlx5_core.sf.4", "mlx5_core.sf.4"),
        ] {
            assert_eq!(word.parse::<DeviceId>().unwrap().to_string(), shown);
        }
        for word in [
            "",
            "../../pci/devices/0000:01:10.0",
            "mlx5_0",
            "0000:1:10.2",
        ] {
            assert!(word.parse::<DeviceId>().is_err(), "{word}");
        }
    }
}

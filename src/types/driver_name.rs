//! `DriverName`: the name of a PCI driver.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// Longest name taken; the kernel's own are below 32 bytes (`MODULE_NAME_LEN` is 56).
const MAX_LEN: usize = 64;

/// Drivers that take whatever function they are given, and none of themselves: they list no
/// device, so that a function has to name them in its `driver_override`.
const TAKE_ANYTHING: [&str; 5] = [
    "pci-stub",
    "pciback",
    "uio_pci_generic",
    "igb_uio",
    "xen-pciback",
];

/// What the kernel has as a folder below `/sys/bus/pci/drivers`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DriverName(String);

impl DriverName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a function must be told to have it: `vfio-pci`, its variants, and other drivers
    /// for handing functions to guests and programs.
    pub fn takes_anything(&self) -> bool {
        self.is_vfio() || TAKE_ANYTHING.contains(&self.as_str())
    }

    /// Whether it hands functions to guests by VFIO.
    pub fn is_vfio(&self) -> bool {
        self.0.split(['-', '_']).any(|part| part == "vfio")
    }

    /// How its module is probably called; modules have underscores alone.
    pub fn module(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl fmt::Display for DriverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DriverName {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let bad = |rule| Invalid::new(word, "driver name", rule);
        if word.is_empty() || word.len() > MAX_LEN {
            return Err(bad("it must have 1 to 64 bytes"));
        }
        if word.starts_with('.') || word.contains('/') {
            return Err(bad("it must not begin with . or contain /"));
        }
        // driver_override takes the rest of its line, and "(null)" is what it shows when unset.
        if word.chars().any(|c| c.is_whitespace() || c.is_control()) || word == "(null)" {
            return Err(bad("it must not contain white space or control characters"));
        }
        Ok(Self(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_and_no_line_passes() {
        for word in ["mlx5_core", "vfio-pci", "a.b", "8250_pci"] {
            assert_eq!(word.parse::<DriverName>().unwrap().as_str(), word);
        }
        let long = "x".repeat(65);
        for word in [
            "", ".", "..", ".x", "a/b", "a b", "a\nb", "a\0b", "(null)", &long,
        ] {
            assert!(word.parse::<DriverName>().is_err(), "{word}");
        }
    }

    #[test]
    fn who_has_to_be_told() {
        for (word, told, vfio) in [
            ("mlx5_core", false, false),
            ("vfio-pci", true, true),
            ("mlx5_vfio_pci", true, true),
            ("pci-stub", true, false),
            ("uio_pci_generic", true, false),
            ("nvfion", false, false),
        ] {
            let name: DriverName = word.parse().unwrap();
            assert_eq!(
                (name.takes_anything(), name.is_vfio()),
                (told, vfio),
                "{word}"
            );
        }
        let name: DriverName = "vfio-pci".parse().unwrap();
        assert_eq!(name.module(), "vfio_pci");
    }
}

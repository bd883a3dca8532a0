//! `ModuleName`: a kernel module, by the name that the kernel lists it under.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// `MODULE_NAME_LEN` less the end (`linux/module.h`): 64 bytes and the length of a pointer.
const MAX_LEN: usize = 55;

/// The name of a kernel module, with underscores: modprobe takes `-` and `_` for the same, sysfs
/// has `_` only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleName(String);

impl ModuleName {
    /// The name, with underscores.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ModuleName {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let begins = word
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric());
        if begins && word.len() <= MAX_LEN && word.bytes().all(fits) {
            Ok(Self(word.replace('-', "_")))
        } else {
            Err(Invalid::new(
                word,
                "kernel module",
                "write letters, digits, - and _, a letter or digit first",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_none() {
        for (word, name) in [("ib_umad", "ib_umad"), ("vfio-pci", "vfio_pci")] {
            assert_eq!(word.parse::<ModuleName>().unwrap().as_str(), name);
        }
        for word in ["", "-a", "../x", "a b", "a/b", "a.ko", "ä", &"x".repeat(56)] {
            assert!(word.parse::<ModuleName>().is_err(), "{word}");
        }
    }
}

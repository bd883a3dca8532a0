//! `RdmaName`: a name that an RDMA device may be given.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// A name safe to give to an RDMA device.
///
/// The kernel takes nearly any 1 to 63 bytes, and then `/` becomes `!` in sysfs, `%` breaks
/// naming patterns, and `DEV/PORT` can no longer be read. Devices that already carry such a name
/// are shown and selected as they are; a new name has to be a sound one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RdmaName(String);

impl RdmaName {
    /// Longest name in bytes: `IB_DEVICE_NAME_MAX` (`rdma/ib_verbs.h`) less the final NUL.
    pub const MAX: usize = 63;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RdmaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RdmaName {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let bad = |rule| Invalid::new(word, "RDMA device name", rule);
        if word.is_empty() || word.len() > Self::MAX {
            return Err(bad("it must have 1 to 63 bytes"));
        }
        if word == "." || word == ".." || word.starts_with('-') {
            return Err(bad("it must not be . or .. or begin with -"));
        }
        if !word
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b'%' | b'!' | b'"' | b'\\'))
        {
            return Err(bad(
                "use letters, digits, - _ . : and no /, %, !, quotes or white space",
            ));
        }
        Ok(Self(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_break_nothing() {
        for word in ["mlx5_0", "rocep1s0f0", "ibdev4", "rxe-a.b"] {
            assert!(word.parse::<RdmaName>().is_ok(), "{word}");
        }
        let long = "a".repeat(64);
        for word in [
            "",
            "a/b",
            "a b",
            "r%d",
            "a\tb",
            "\"x\"",
            "-j",
            "..",
            "é0",
            long.as_str(),
        ] {
            assert!(word.parse::<RdmaName>().is_err(), "{word}");
        }
    }
}

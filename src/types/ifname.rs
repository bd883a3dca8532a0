//! `IfName`: the name of a network interface.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// One to fifteen bytes that `dev_valid_name` (`net/core/dev.c`) accepts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IfName(String);

impl IfName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IfName {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let bad = |rule| Invalid::new(word, "interface name", rule);
        if word.is_empty() || word.len() > 15 {
            return Err(bad("it must have 1 to 15 bytes"));
        }
        if word == "." || word == ".." {
            return Err(bad("it must not be . or .."));
        }
        if word
            .chars()
            .any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
        {
            return Err(bad(
                "it must not contain /, :, white space or control characters",
            ));
        }
        Ok(Self(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_rule() {
        for word in ["eth0", "ib0.8001", "a", "fifteen-bytes-x", "ü0"] {
            assert!(word.parse::<IfName>().is_ok(), "{word}");
        }
        for word in [
            "",
            ".",
            "..",
            "a/b",
            "a:b",
            "a b",
            "sixteen-bytes-xx",
            "a\nb",
            "a\0b",
        ] {
            assert!(word.parse::<IfName>().is_err(), "{word}");
        }
    }
}

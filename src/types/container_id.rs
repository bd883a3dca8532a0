//! `ContainerId`: the name that a runtime gives a container.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// One part of a path, of the characters that runc and crun take: letters, digits and `_ + - .`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(String);

impl ContainerId {
    /// Longest id: runc makes a folder of that name.
    pub const MAX: usize = 255;

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ContainerId {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let bad = |rule| Invalid::new(word, "container id", rule);
        if word.is_empty() || word.len() > Self::MAX || word == "." || word == ".." {
            return Err(bad("it must have 1 to 255 bytes and not be . or .."));
        }
        let sound = |b: u8| b.is_ascii_alphanumeric() || b"_+-.".contains(&b);
        if !word.bytes().all(sound) {
            return Err(bad("use letters, digits and _ + - ."));
        }
        Ok(Self(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_of_a_path() {
        for word in ["a", "web-1", "0f3c+x.y_z", &"a".repeat(255)] {
            assert_eq!(word.parse::<ContainerId>().unwrap().as_str(), word);
        }
        for word in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "a\0",
            "ä",
            "a\n",
            &"a".repeat(256),
        ] {
            assert!(word.parse::<ContainerId>().is_err(), "{word:?}");
        }
    }
}

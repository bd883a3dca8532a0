//! `RdmaNaming`: how a device is to be called where it goes.

use std::fmt;
use std::str::FromStr;

use super::{Invalid, RdmaName};

/// What stands for the number in a pattern.
const NUMBER: &str = "%d";

/// A name with a number in it, such as `mlx5_%d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RdmaNamePattern {
    before: String,
    after: String,
}

impl RdmaNamePattern {
    /// Numbers run from 0 to this: more devices than a machine has functions.
    pub const LAST: u16 = 9999;

    /// The names, lowest number first.
    pub fn names(&self) -> impl Iterator<Item = RdmaName> {
        let name = |number| self.with(number).parse().ok();
        (0..=Self::LAST).filter_map(name)
    }

    fn with(&self, number: u16) -> String {
        format!("{}{number}{}", self.before, self.after)
    }
}

impl fmt::Display for RdmaNamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{NUMBER}{}", self.before, self.after)
    }
}

/// How a device is to be called where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RdmaNaming {
    /// As at home.
    #[default]
    Keep,
    /// So.
    Fixed(RdmaName),
    /// By the lowest number that is free there.
    Counted(RdmaNamePattern),
}

impl FromStr for RdmaNaming {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        if word == "keep" {
            return Ok(Self::Keep);
        }
        let Some((before, after)) = word.split_once(NUMBER) else {
            return Ok(Self::Fixed(word.parse()?));
        };
        let pattern = RdmaNamePattern {
            before: before.to_owned(),
            after: after.to_owned(),
        };
        // The longest must be a name: it has no second %, and whatever else is wrong.
        let longest = pattern.with(RdmaNamePattern::LAST).parse::<RdmaName>();
        longest.map_err(|error| Invalid::new(word, "pattern of RDMA device names", error.rule))?;
        Ok(Self::Counted(pattern))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        let naming = |word: &str| word.parse::<RdmaNaming>();
        assert_eq!(naming("keep"), Ok(RdmaNaming::Keep));
        assert_eq!(
            naming("rocep1"),
            Ok(RdmaNaming::Fixed("rocep1".parse().unwrap()))
        );
        let Ok(RdmaNaming::Counted(pattern)) = naming("mlx5_%d") else {
            panic!("no pattern");
        };
        let first: Vec<String> = pattern.names().take(2).map(|n| n.to_string()).collect();
        assert_eq!(first, ["mlx5_0", "mlx5_1"]);
        assert_eq!(pattern.names().count(), 10_000);
        assert_eq!(pattern.to_string(), "mlx5_%d");
        assert!(naming("a%db").is_ok());
        assert!(naming(&format!("{}%d", "a".repeat(59))).is_ok());
    }

    #[test]
    fn what_is_no_name() {
        let long = format!("{}%d", "a".repeat(60));
        for word in [
            "", "a%", "%s", "a%d%d", "a/%d", "-%d", "a b", "a/b", "..", "é%d", &long,
        ] {
            let error = word.parse::<RdmaNaming>().unwrap_err();
            assert!(error.to_string().contains("RDMA device name"), "{error}");
        }
        assert_eq!("a%d%d".parse::<RdmaNaming>().unwrap_err().word, "a%d%d");
    }
}

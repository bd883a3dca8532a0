//! `AuxName`: the name of a device on the auxiliary bus, such as a scalable function.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// `module.name.id`, as in `mlx5_core.sf.4` (`drivers/base/auxiliary.c` joins the three with dots).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuxName(String);

impl AuxName {
    /// The name as it stands in `/sys/bus/auxiliary/devices`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number at its end.
    pub fn number(&self) -> Option<u32> {
        self.0.rsplit('.').next()?.parse().ok()
    }
}

impl fmt::Display for AuxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AuxName {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let bad = || {
            Invalid::new(
                word,
                "auxiliary device name",
                "write module.name.id, as mlx5_core.sf.4",
            )
        };
        let sound_chars = word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        let parts: Vec<&str> = word.split('.').collect();
        let id = parts.last().copied().unwrap_or_default();
        let sound = sound_chars
            && word.len() <= 64
            && parts.len() >= 3
            && parts.iter().all(|p| !p.is_empty())
            && id.bytes().all(|b| b.is_ascii_digit());
        if sound {
            Ok(Self(word.to_owned()))
        } else {
            Err(bad())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_parts_with_a_number_at_the_end() {
        assert_eq!(
            "mlx5_core.sf.4".parse::<AuxName>().unwrap().as_str(),
            "mlx5_core.sf.4"
        );
        for word in [
            "",
            "..",
            "../x.y.0",
            "mlx5_core.sf",
            "mlx5_core..4",
            "a.b.c",
            "0000:01:10.2",
            "a.b.1/..",
        ] {
            assert!(word.parse::<AuxName>().is_err(), "{word}");
        }
    }
}

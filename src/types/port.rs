//! `DeviceSelector` and `PortSelector`: how a person names a device or one of its ports.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// `DEV`: the name of a device as `dev show` prints it, compared exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSelector(String);

impl DeviceSelector {
    /// The word to compare with device names.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DeviceSelector {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self(word.to_owned()))
    }
}

/// `DEV` or `DEV/PORT`.
///
/// A device name may itself contain `/`, so the whole word counts as a name first; [`Self::split`]
/// gives the other reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSelector(String);

impl PortSelector {
    /// The word as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the last `/` and the port number behind it, 1 or more.
    pub fn split(&self) -> Option<(&str, u32)> {
        let (name, port) = self.0.rsplit_once('/')?;
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = port.parse().ok().filter(|p| *p > 0)?;
        digits.then_some((name, port))
    }
}

impl FromStr for PortSelector {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_slash_splits() {
        let split = |word: &str| {
            let selector: PortSelector = word.parse().unwrap();
            selector.split().map(|(name, port)| (name.to_owned(), port))
        };
        assert_eq!(split("mlx5_0/1"), Some(("mlx5_0".to_owned(), 1)));
        assert_eq!(split("a/b/2"), Some(("a/b".to_owned(), 2)));
        for word in [
            "mlx5_0",
            "mlx5_0/",
            "mlx5_0/0",
            "mlx5_0/+1",
            "mlx5_0/1x",
            "mlx5_0/99999999999",
        ] {
            assert_eq!(split(word), None, "{word}");
        }
    }
}

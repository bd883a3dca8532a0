//! `Interval`: how often something is looked at again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Invalid;

/// Looking more often would show the looking itself.
const SHORTEST: f64 = 0.1;
/// A day: more is a matter for a timer.
const LONGEST: f64 = 86_400.0;

/// A tenth of a second to a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval(Duration);

impl Interval {
    /// Its length.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Interval {
    /// Seconds, as they are typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs_f64())
    }
}

impl FromStr for Interval {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        let bad = || Invalid::new(word, "interval", "write seconds from 0.1 to 86400");
        // What `f64` reads beyond that: inf, nan, 1e3.
        if !word.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(bad());
        }
        let seconds: f64 = word.parse().map_err(|_| bad())?;
        if !(SHORTEST..=LONGEST).contains(&seconds) {
            return Err(bad());
        }
        let duration = Duration::try_from_secs_f64(seconds).map_err(|_| bad())?;
        Ok(Self(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_fractions() {
        for (word, millis, shown) in [
            ("2", 2000, "2"),
            ("0.5", 500, "0.5"),
            (".25", 250, "0.25"),
            ("0.1", 100, "0.1"),
            ("86400", 86_400_000, "86400"),
        ] {
            let interval: Interval = word.parse().unwrap();
            assert_eq!(interval.duration(), Duration::from_millis(millis), "{word}");
            assert_eq!(interval.to_string(), shown);
        }
        for word in [
            "", ".", "0", "0.09", "86400.1", "-1", "+1", "1s", "inf", "nan", "1e3", "0,5", "1.2.3",
            " 1",
        ] {
            assert!(word.parse::<Interval>().is_err(), "{word}");
        }
    }
}

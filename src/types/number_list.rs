//! `NumberList`: numbers and ranges of them, as filters have them.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::Invalid;

/// `1,3-5,0x1f`: a number fits when one entry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberList(Vec<RangeInclusive<u64>>);

impl NumberList {
    /// Its ranges, in the order they were given.
    pub fn ranges(&self) -> &[RangeInclusive<u64>] {
        &self.0
    }

    /// The number, of a list that has a single one.
    pub fn only(&self) -> Option<u64> {
        match &self.0[..] {
            [one] if one.start() == one.end() => Some(*one.start()),
            _ => None,
        }
    }

    /// Whether the list has the number; what is absent is in no list.
    pub fn has(&self, number: impl Into<Option<u64>>) -> bool {
        let number = number.into();
        number.is_some_and(|number| self.0.iter().any(|range| range.contains(&number)))
    }
}

impl FromStr for NumberList {
    type Err = Invalid;

    fn from_str(list: &str) -> Result<Self, Invalid> {
        let ranges: Option<Vec<_>> = list.split(',').map(range).collect();
        match ranges {
            Some(ranges) => Ok(Self(ranges)),
            None => Err(Invalid::new(
                list,
                "list of numbers",
                "write numbers and ranges, as in 1,3-5",
            )),
        }
    }
}

fn range(entry: &str) -> Option<RangeInclusive<u64>> {
    let (from, to) = entry.split_once('-').unwrap_or((entry, entry));
    let number = |text: &str| {
        let (digits, radix) = text
            .strip_prefix("0x")
            .map_or((text, 10), |digits| (digits, 16));
        let sound = digits.chars().all(|c| c.is_digit(radix));
        u64::from_str_radix(digits, radix).ok().filter(|_| sound)
    };
    let (from, to) = (number(from)?, number(to)?);
    // iproute2 takes a range that runs backwards for its two ends.
    Some(from.min(to)..=from.max(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges() {
        let list: NumberList = "1,5-3,0x1f,18446744073709551615".parse().unwrap();
        for (number, there) in [
            (1, true),
            (2, false),
            (3, true),
            (5, true),
            (31, true),
            (u64::MAX, true),
        ] {
            assert_eq!(list.has(number), there, "{number}");
        }
        assert!(!list.has(None));
        let only = |list: &str| list.parse::<NumberList>().unwrap().only();
        assert_eq!(only("0x1f"), Some(31));
        assert_eq!(only("5-5"), Some(5));
        assert_eq!((only("5-6"), only("5,5")), (None, None));
        for wrong in [
            "",
            ",",
            "1,",
            "x",
            "1-",
            "-1",
            "+1",
            "0x",
            "0x+1",
            "1-2-3",
            "18446744073709551616",
        ] {
            assert!(wrong.parse::<NumberList>().is_err(), "{wrong}");
        }
    }
}

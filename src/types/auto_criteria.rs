//! `AutoCriteria`: by what the kernel binds queue pairs to counters on its own.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// Queue pairs that agree in all of these share a counter; none of them is "off".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AutoCriteria {
    mask: u32,
}

/// `enum rdma_nl_counter_mask` (`uapi/rdma/rdma_netlink.h`), in the order they are written.
const CRITERIA: [(&str, u32); 2] = [("type", 1), ("pid", 2)];

impl AutoCriteria {
    /// No automatic binding.
    pub const OFF: Self = Self { mask: 0 };

    /// As the kernel sends them; bits that are not known are kept.
    pub const fn from_mask(mask: u32) -> Self {
        Self { mask }
    }

    /// As the kernel wants them.
    pub const fn mask(self) -> u32 {
        self.mask
    }
}

impl fmt::Display for AutoCriteria {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = CRITERIA
            .iter()
            .filter(|(_, bit)| self.mask & bit != 0)
            .map(|(word, _)| *word)
            .collect();
        f.write_str(&words.join(","))
    }
}

impl FromStr for AutoCriteria {
    type Err = Invalid;

    fn from_str(list: &str) -> Result<Self, Invalid> {
        let mut mask = 0;
        for word in list.split(',').filter(|word| !word.is_empty()) {
            let known = CRITERIA.iter().find(|(name, _)| *name == word);
            mask |= known.ok_or_else(|| invalid(list))?.1;
        }
        if mask == 0 {
            return Err(invalid(list));
        }
        Ok(Self { mask })
    }
}

fn invalid(list: &str) -> Invalid {
    Invalid::new(
        list,
        "automatic mode",
        "write type, pid or type,pid, or off",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_criteria() {
        for (list, mask, shown) in [
            ("type", 1, "type"),
            ("pid", 2, "pid"),
            ("pid,type", 3, "type,pid"),
        ] {
            let criteria: AutoCriteria = list.parse().unwrap();
            assert_eq!(
                (criteria.mask(), criteria.to_string()),
                (mask, shown.to_owned())
            );
        }
        for wrong in ["", ",", "typ", "type,foo", "TYPE"] {
            assert!(wrong.parse::<AutoCriteria>().is_err(), "{wrong}");
        }
        assert_eq!(AutoCriteria::from_mask(0x85).to_string(), "type");
    }
}

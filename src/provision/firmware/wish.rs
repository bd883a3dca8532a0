//! `Wish`: what a host needs of a card's firmware, for all ports of the card together.

use std::collections::BTreeMap;
use std::fmt;

/// What a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkType {
    /// InfiniBand.
    Infiniband,
    /// Ethernet.
    Ethernet,
}

impl LinkType {
    /// What the firmware calls it: `IB` is 1, `ETH` 2.
    pub fn number(self) -> u64 {
        match self {
            Self::Infiniband => 1,
            Self::Ethernet => 2,
        }
    }

    /// The word of the tools.
    pub fn word(self) -> &'static str {
        match self {
            Self::Infiniband => "IB",
            Self::Ethernet => "ETH",
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What one card has to be able to do. Nothing wished for is nothing changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// VFs that each PF must be able to have, at least: a card that can do more is left so.
    pub vfs: Option<u16>,
    /// By port, from 1.
    pub link_types: BTreeMap<u8, LinkType>,
}

impl Wish {
    /// The wish of another port of the same card. The number of VFs is one setting for all its
    /// ports, so that the largest counts.
    pub fn and(mut self, other: &Self) -> Self {
        self.vfs = self.vfs.max(other.vfs);
        self.link_types.extend(&other.link_types);
        self
    }

    /// Whether there is nothing to wish for.
    pub fn is_empty(&self) -> bool {
        self.vfs.is_none_or(|vfs| vfs == 0) && self.link_types.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ports_of_a_card() {
        let first = Wish {
            vfs: Some(8),
            link_types: [(1, LinkType::Infiniband)].into(),
        };
        let second = Wish {
            vfs: Some(16),
            link_types: [(2, LinkType::Ethernet)].into(),
        };
        let both = first.clone().and(&second);
        assert_eq!(both, second.and(&first));
        assert_eq!(both.vfs, Some(16));
        assert_eq!(both.link_types.len(), 2);
        let nothing = Wish {
            vfs: Some(0),
            ..Wish::default()
        };
        assert!(nothing.is_empty() && Wish::default().is_empty());
        assert!(!both.is_empty());
    }
}

//! `Word`: a device as people name it to a container: by address or by RDMA name.

use std::fmt;
use std::str::FromStr;

use crate::types::{AuxName, Invalid, PciAddr, RdmaName};

/// What a word can mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A PCI function.
    Function(PciAddr),
    /// An RDMA device or, where no device is called so, an auxiliary device.
    Named(RdmaName, Option<AuxName>),
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(address) => address.fmt(f),
            Self::Named(name, _) => name.fmt(f),
        }
    }
}

impl FromStr for Word {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        if let Ok(address) = word.parse() {
            return Ok(Self::Function(address));
        }
        let rule = "write an RDMA device, as mlx5_2, a PCI address, as 0000:01:10.2, or an auxiliary device, as mlx5_core.sf.4";
        match word.parse() {
            Ok(name) if !word.contains(',') => Ok(Self::Named(name, word.parse().ok())),
            _ => Err(Invalid::new(word, "device", rule)),
        }
    }
}

/// The words of a list, parted by commas or blanks.
///
/// # Errors
/// The first that is none, or that there is no word at all.
pub fn list(text: &str) -> Result<Vec<Word>, Invalid> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let words: Vec<Word> = words.map(str::parse).collect::<Result<_, _>>()?;
    if words.is_empty() {
        let rule = "write one device or several, as mlx5_2,0000:01:10.2";
        return Err(Invalid::new(text, "list of devices", rule));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_names_and_lists() {
        let words = list("mlx5_2, 0000:01:10.2 mlx5_core.sf.4").unwrap();
        let [
            Word::Named(_, None),
            Word::Function(_),
            Word::Named(_, Some(_)),
        ] = words.as_slice()
        else {
            panic!("{words:?}");
        };
        for text in ["", " , ", "../x", "mlx5/2", "mlx5_2,%d", "a\nb", "-x"] {
            assert!(list(text).is_err(), "{text:?}");
        }
    }
}

//! `guid` and `mac`: where the addresses of VFs come from.

use std::str::FromStr;

use super::Scheme;
use super::node::Node;
use super::reader::Reader;
use crate::types::{Guid, Invalid, Mac};

/// An address that a VF can be given.
pub trait Address: FromStr<Err = Invalid> + Copy + Ord + std::fmt::Display {
    /// `GUID`, `MAC address`.
    const WHAT: &'static str;
    /// Why no VF can have it.
    fn refusal(self) -> Option<&'static str>;
    /// As a number.
    fn number(self) -> u64;
    /// The address of a number.
    fn of_number(number: u64) -> Self;
}

impl Address for Guid {
    const WHAT: &'static str = "GUID";

    fn refusal(self) -> Option<&'static str> {
        match self {
            _ if !self.is_assignable() => Some("all zeros and all ones stand for none"),
            _ if self.is_group() => Some("its first byte is odd, which makes it that of a group"),
            _ => None,
        }
    }

    fn number(self) -> u64 {
        self.value()
    }

    fn of_number(number: u64) -> Self {
        Self::new(number)
    }
}

impl Address for Mac {
    const WHAT: &'static str = "MAC address";

    fn refusal(self) -> Option<&'static str> {
        match self {
            _ if self.is_zero() => Some("all zeros stand for none"),
            _ if self.is_group() => Some("its first byte is odd, which makes it that of a group"),
            _ => None,
        }
    }

    fn number(self) -> u64 {
        self.value()
    }

    fn of_number(number: u64) -> Self {
        Self::from_value(number)
    }
}

impl<T: Address> Scheme<T> {
    /// How many VFs it has addresses for; `None` for all.
    pub fn room(&self) -> Option<u64> {
        match self {
            Self::Range { start, end } => Some((end.number() - start.number()).saturating_add(1)),
            Self::List(list) => Some(list.len() as u64),
            Self::Derived | Self::File(_) | Self::Keep | Self::Unmanaged => None,
        }
    }

    /// What it says for the VF with this index, where it says it outright.
    pub fn given(&self, index: u16) -> Option<T> {
        match self {
            Self::Range { start, end } => {
                let number = start.number().checked_add(u64::from(index))?;
                (number <= end.number()).then(|| T::of_number(number))
            }
            Self::List(list) => list.get(usize::from(index)).copied(),
            Self::Derived | Self::File(_) | Self::Keep | Self::Unmanaged => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Derived,
    Range,
    List,
    File,
    Keep,
    Unmanaged,
}

/// Reads one address that a VF can be given.
pub(super) fn one<T: Address>(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<T> {
    let address: T = reader.parsed(node, what)?;
    let Some(refusal) = address.refusal() else {
        return Some(address);
    };
    let what = format!("{address} is no {} for a VF: {refusal}", T::WHAT);
    reader.fault(&node.span, what);
    None
}

/// Reads a scheme.
pub(super) fn scheme<T: Address>(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
) -> Option<Scheme<T>> {
    let table = reader.table(node, what, &["mode", "start", "end", "list", "file"])?;
    let words = [
        ("pf-derived", Mode::Derived),
        ("range", Mode::Range),
        ("list", Mode::List),
        ("file", Mode::File),
        ("keep", Mode::Keep),
        ("unmanaged", Mode::Unmanaged),
    ];
    let Some(mode) = table.get("mode") else {
        reader.fault(&node.span, format!("{what} has no mode"));
        return None;
    };
    let mode = reader.word(mode, "mode", &words)?;
    for (key, of, said) in [
        ("start", Mode::Range, "range"),
        ("end", Mode::Range, "range"),
        ("list", Mode::List, "list"),
        ("file", Mode::File, "file"),
    ] {
        match table.get(key) {
            Some(node) if mode != of => {
                reader.fault(&node.span, format!("{key} goes with mode = \"{said}\""));
            }
            None if mode == of => {
                reader.fault(&node.span, format!("mode = \"{said}\" needs {key}"));
            }
            _ => {}
        }
    }
    match mode {
        Mode::Derived => Some(Scheme::Derived),
        Mode::Keep => Some(Scheme::Keep),
        Mode::Unmanaged => Some(Scheme::Unmanaged),
        Mode::File if T::WHAT != Guid::WHAT => {
            let what = format!("files have no {}es: mode = \"file\" is for guid", T::WHAT);
            reader.fault(&node.span, what);
            None
        }
        Mode::File => {
            let path = table.get("file")?;
            let text = reader.text(path, "file")?;
            if !text.starts_with('/') {
                reader.fault(&path.span, "file has to begin with /");
                return None;
            }
            Some(Scheme::File(text.into()))
        }
        Mode::Range => {
            let start: Option<T> = one(reader, table.get("start")?, "start");
            let last = table.get("end")?;
            let end: Option<T> = one(reader, last, "end");
            let (start, end) = (start?, end?);
            if end < start {
                reader.fault(&last.span, format!("{end} is below start, {start}"));
                return None;
            }
            Some(Scheme::Range { start, end })
        }
        Mode::List => {
            let mut found: Vec<T> = Vec::new();
            let mut is_whole = true;
            for node in reader.list(table.get("list")?, "list") {
                match one(reader, node, "an address") {
                    Some(address) if found.contains(&address) => {
                        reader.fault(&node.span, format!("{address} is there twice"));
                        is_whole = false;
                    }
                    Some(address) => found.push(address),
                    None => is_whole = false,
                }
            }
            is_whole.then_some(Scheme::List(found))
        }
    }
}

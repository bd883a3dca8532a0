//! `Setting`: one value of a card's firmware, as it works now and as it will after a reset.

use std::fmt;

/// What a setting holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `8`.
    Number(u64),
    /// `IB(1)`, `True(1)`: a number and what it is called.
    Named(String, u64),
    /// A list, `Array[0..7]`, or bytes: what stands for it tells nothing of what is in it.
    Opaque(String),
}

impl Value {
    /// Reads a value as the tools print it; `None` for `N/A`, which is what a card does not tell.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "N/A" || text.is_empty() {
            return None;
        }
        if let Ok(number) = text.parse() {
            return Some(Self::Number(number));
        }
        let named = text
            .strip_suffix(')')
            .and_then(|text| text.rsplit_once('('));
        let named = named.and_then(|(name, number)| Some((name, number.parse().ok()?)));
        Some(match named {
            Some((name, number)) if !name.is_empty() => Self::Named(name.to_owned(), number),
            _ => Self::Opaque(text.to_owned()),
        })
    }

    /// The number, whatever it is called.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) | Self::Named(_, number) => Some(*number),
            Self::Opaque(_) => None,
        }
    }

    /// What the number is called.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name, _) => Some(name),
            Self::Number(_) | Self::Opaque(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Named(name, number) => write!(f, "{name}({number})"),
            Self::Opaque(text) => f.write_str(text),
        }
    }
}

/// A setting. What a card, or an old tool, does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name, as `NUM_OF_VFS`.
    pub key: String,
    /// It cannot be changed.
    pub is_read_only: bool,
    /// What the maker set.
    pub default: Option<Value>,
    /// What the firmware works with now.
    pub current: Option<Value>,
    /// What it will work with after a reset.
    pub next: Option<Value>,
}

impl Setting {
    /// The number in use; where only the next one is told, that one.
    pub fn working(&self) -> Option<u64> {
        let value = self.current.as_ref().or(self.next.as_ref());
        value.and_then(Value::number)
    }

    /// The number after a reset; where only the present one is told, that one.
    pub fn coming(&self) -> Option<u64> {
        let value = self.next.as_ref().or(self.current.as_ref());
        value.and_then(Value::number)
    }

    /// Whether a reset would change it; `None` where that cannot be told.
    pub fn is_pending(&self) -> Option<bool> {
        let (current, next) = (self.current.as_ref()?, self.next.as_ref()?);
        match (current.number(), next.number()) {
            (Some(current), Some(next)) => Some(current != next),
            _ => None,
        }
    }
}

/// Whether this can be the name of a setting: it becomes an argument of the tool.
pub fn is_key(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_uppercase())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_as_the_tools_print_them() {
        let named = |name: &str, number| Some(Value::Named(name.to_owned(), number));
        let opaque = |text: &str| Some(Value::Opaque(text.to_owned()));
        for (text, expected) in [
            ("8", Some(Value::Number(8))),
            ("True(1)", named("True", 1)),
            ("_256KB(1)", named("_256KB", 1)),
            ("VPI(3)", named("VPI", 3)),
            ("Array[0..7]", opaque("Array[0..7]")),
            ("(1)", opaque("(1)")),
            ("x(y)", opaque("x(y)")),
            ("18446744073709551616", opaque("18446744073709551616")),
            ("N/A", None),
            ("", None),
        ] {
            assert_eq!(Value::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn pending_is_the_present_against_the_next() {
        let setting = |current: &str, next: &str| Setting {
            key: "K".to_owned(),
            is_read_only: false,
            default: Value::parse("0"),
            current: Value::parse(current),
            next: Value::parse(next),
        };
        assert_eq!(setting("8", "16").is_pending(), Some(true));
        // What differs from the maker's value alone is not pending.
        assert_eq!(setting("16", "16").is_pending(), Some(false));
        // One firmware calls it False(0), and the same number has no other name after a reset.
        assert_eq!(setting("False(0)", "0").is_pending(), Some(false));
        assert_eq!(setting("Array[0..7]", "Array[0..7]").is_pending(), None);
        assert_eq!(setting("N/A", "16").is_pending(), None);
        assert_eq!(setting("N/A", "16").working(), Some(16));
        assert_eq!(setting("4", "16").working(), Some(4));
        assert_eq!(setting("4", "N/A").coming(), Some(4));
    }

    #[test]
    fn names_of_settings() {
        for key in ["NUM_OF_VFS", "LINK_TYPE_P1", "EXP_ROM_UEFI_x86_ENABLE"] {
            assert!(is_key(key), "{key}");
        }
        for word in ["", "num", "-d", "A=B", "A B", "1A", "_A", "A\n"] {
            assert!(!is_key(word), "{word:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            if let Some(value) = Value::parse(&text) {
                prop_assert_eq!(Value::parse(&value.to_string()), Some(value));
            }
        }
    }
}

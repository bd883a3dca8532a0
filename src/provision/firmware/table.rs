//! The table that `mstconfig query` and `mlxconfig query` print.
//!
//! A row is `*` in its first column where a reset would change the setting or the maker's value was
//! another, `RO` behind it where it is read-only, then the name and one value for each column of the
//! heading. Cards that do not tell their present values have a `Next Boot` alone.

use super::card::Card;
use super::setting::{Setting, Value, is_key};

const HEADING: &str = "Configurations:";

/// A column of values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Default,
    Current,
    Next,
}

/// Reads the first card of a query's output; `None` when there is no table in it.
///
/// Rows that are none are passed over: what is needed and not found is named by who needs it.
pub fn read(text: &str) -> Option<Card> {
    let mut card = Card::default();
    let mut lines = text.lines();
    let columns = loop {
        let line = lines.next()?.trim();
        if let Some(kind) = line.strip_prefix("Device type:") {
            card.kind = Some(kind.trim().to_owned()).filter(|kind| is_word(kind));
        } else if let Some(heading) = line.strip_prefix(HEADING) {
            break columns(heading);
        }
    };
    for line in lines {
        if line.starts_with("Device #") {
            break;
        }
        if let Some(setting) = row(line, &columns) {
            card.take(setting);
        }
    }
    Some(card)
}

fn is_word(text: &str) -> bool {
    text != "N/A" && !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// The columns in their order. A heading that is not known is taken for the one that is always there.
fn columns(heading: &str) -> Vec<Column> {
    let named = [
        ("Default", Column::Default),
        ("Current", Column::Current),
        ("Next Boot", Column::Next),
    ];
    let mut found: Vec<(usize, Column)> = named
        .iter()
        .filter_map(|(name, column)| Some((heading.find(name)?, *column)))
        .collect();
    found.sort_by_key(|(at, _)| *at);
    match found.is_empty() {
        true => vec![Column::Next],
        false => found.into_iter().map(|(_, column)| column).collect(),
    }
}

fn row(line: &str, columns: &[Column]) -> Option<Setting> {
    let line = line.strip_prefix('*').unwrap_or(line).trim_start();
    let mut words = line.split_ascii_whitespace();
    let mut key = words.next()?;
    let is_read_only = key == "RO";
    if is_read_only {
        key = words.next()?;
    }
    let values: Vec<&str> = words.collect();
    if !is_key(key) {
        return None;
    }
    // A setting without the other values has its next one alone, whatever the heading says.
    let columns = match values.len() {
        1 => &[Column::Next][..],
        n if n == columns.len() => columns,
        _ => return None,
    };
    let of = |wanted: Column| {
        let at = columns.iter().position(|column| *column == wanted)?;
        Value::parse(values[at])
    };
    Some(Setting {
        key: key.to_owned(),
        is_read_only,
        default: of(Column::Default),
        current: of(Column::Current),
        next: of(Column::Next),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FOUR: &str = include_str!("../../../tests/fixtures/firmware/three-columns.txt");
    const WIDE: &str = include_str!("../../../tests/fixtures/firmware/three-columns-wide.txt");
    const ONE: &str = include_str!("../../../tests/fixtures/firmware/one-column.txt");

    fn tell(card: &Card, key: &str) -> String {
        let setting = card.find(key).unwrap();
        let word = |value: &Option<Value>| {
            let text = value.as_ref().map(ToString::to_string);
            text.unwrap_or_else(|| "-".to_owned())
        };
        let (default, current) = (word(&setting.default), word(&setting.current));
        let lock = if setting.is_read_only { " ro" } else { "" };
        format!("{default} {current} {}{lock}", word(&setting.next))
    }

    #[test]
    fn with_all_columns() {
        let card = read(FOUR).unwrap();
        assert_eq!(card.kind.as_deref(), Some("ConnectX5"));
        assert_eq!(tell(&card, "NUM_OF_VFS"), "0 8 16");
        assert_eq!(tell(&card, "SRIOV_EN"), "False(0) True(1) True(1)");
        assert_eq!(tell(&card, "LINK_TYPE_P1"), "IB(1) IB(1) IB(1)");
        assert_eq!(tell(&card, "BOOT_PKEY"), "0 0 0 ro");
        assert_eq!(
            tell(&card, "HOST_CHAINING_DESCRIPTORS"),
            "Array[0..7] Array[0..7] Array[0..7]"
        );
        let pending: Vec<&str> = card.pending().map(|setting| setting.key.as_str()).collect();
        assert_eq!(pending, ["NUM_OF_VFS"]);
    }

    #[test]
    fn names_that_fill_their_columns() {
        let card = read(WIDE).unwrap();
        assert_eq!(card.kind.as_deref(), Some("ConnectX7"));
        let long = "PCI_ATOMIC_DISABLED_EXT_ATOMIC_ENABLED(0)";
        assert_eq!(tell(&card, "PCI_ATOMIC_MODE"), [long, long, long].join(" "));
        assert_eq!(tell(&card, "NUM_OF_VFS"), "0 16 127");
        assert_eq!(tell(&card, "SRIOV_EN"), "False(0) True(1) True(1) ro");
    }

    #[test]
    fn with_the_next_values_alone() {
        let card = read(ONE).unwrap();
        assert_eq!(card.kind.as_deref(), Some("ConnectX3"));
        assert_eq!(tell(&card, "NUM_OF_VFS"), "- - 4");
        assert_eq!(card.find("NUM_OF_VFS").unwrap().working(), Some(4));
        assert_eq!(card.pending().count(), 0);
    }

    #[test]
    fn the_first_card_alone() {
        let two =
            format!("{ONE}\nDevice #2:\n----------\nConfigurations: Next Boot\n    LATER 1\n");
        assert!(read(&two).unwrap().find("LATER").is_none());
    }

    #[test]
    fn no_table() {
        for text in ["", "-E- Failed to open the device\n", "Configurations"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_output_panics(text in ".*", rows in "(Configurations: [A-Z a-z]{0,40}\n)?([* RO]{0,6}[A-Z_]{1,9}( {1,9}[A-Za-z0-9()/]{1,9}){0,4}\n){0,9}") {
            read(&text);
            read(&rows);
        }
    }
}

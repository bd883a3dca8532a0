//! `Node`: a value of a document with its place, whichever language it was written in.

use std::ops::Range;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Documents are not nested deeper than this; text from anywhere may be.
const MAX_DEPTH: usize = 8;

/// A value, and the bytes of the text that it is.
pub(super) struct Node {
    pub span: Range<usize>,
    pub kind: Kind,
}

pub(super) enum Kind {
    Table(Vec<(Key, Node)>),
    List(Vec<Node>),
    Text(String),
    Number(i64),
    Flag(bool),
    /// A value of a kind that no key takes: what it is called.
    Other(&'static str),
}

pub(super) struct Key {
    pub span: Range<usize>,
    pub text: String,
}

/// What is no text of the language, and where.
pub(super) struct Unreadable {
    pub span: Range<usize>,
    pub what: String,
    /// What is behind it may not mean what it says.
    pub is_fatal: bool,
}

impl Kind {
    /// What a person calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Table(_) => "a table",
            Self::List(_) => "a list",
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Other(name) => name,
        }
    }
}

/// Reads TOML; what can be read is there beside everything that cannot.
pub(super) fn toml(text: &str) -> (Node, Vec<Unreadable>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let errors = errors.into_iter().map(|error| Unreadable {
        span: error.span().unwrap_or_default(),
        what: error.message().replace('\n', ", "),
        is_fatal: true,
    });
    let span = table.span();
    let kind = of_table(table.into_inner(), 0);
    (Node { span, kind }, errors.collect())
}

fn of_table(table: DeTable<'_>, depth: usize) -> Kind {
    let entries = table.into_iter().map(|(key, value)| {
        let span = key.span();
        let text = key.into_inner().into_owned();
        (Key { span, text }, of_toml(value, depth + 1))
    });
    let mut entries: Vec<_> = entries.collect();
    // In the order they were written, which is that of their mistakes.
    entries.sort_by_key(|(key, _)| key.span.start);
    Kind::Table(entries)
}

fn of_toml(value: Spanned<DeValue<'_>>, depth: usize) -> Node {
    let span = value.span();
    let kind = match value.into_inner() {
        _ if depth > MAX_DEPTH => Kind::Other("nested too deep"),
        DeValue::String(text) => Kind::Text(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Kind::Other("a number out of range"), Kind::Number),
        DeValue::Float(_) => Kind::Other("a number with a fraction"),
        DeValue::Boolean(flag) => Kind::Flag(flag),
        DeValue::Datetime(_) => Kind::Other("a date"),
        DeValue::Array(list) => Kind::List(
            list.into_iter()
                .map(|each| of_toml(each, depth + 1))
                .collect(),
        ),
        DeValue::Table(table) => of_table(table, depth),
    };
    Node { span, kind }
}

/// Reads JSON.
pub(super) fn json(text: &str) -> (Node, Vec<Unreadable>) {
    let mut errors = Vec::new();
    let kind = match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => return (of_json(text, value, 0, &mut errors), errors),
        Err(error) => {
            let at = offset(text, error.line(), error.column());
            let what = error.to_string();
            let what = what
                .split(" at line ")
                .next()
                .unwrap_or_default()
                .to_owned();
            errors.push(Unreadable {
                span: at..at,
                what,
                is_fatal: true,
            });
            Kind::Table(Vec::new())
        }
    };
    (Node { span: 0..0, kind }, errors)
}

/// `raw` borrows from `text`: where it lies there is its place.
fn span_of(text: &str, raw: &str) -> Range<usize> {
    let start = (raw.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let start = start.min(text.len());
    start..(start + raw.len()).min(text.len())
}

fn of_json(text: &str, value: &RawValue, depth: usize, errors: &mut Vec<Unreadable>) -> Node {
    let raw = value.get();
    let span = span_of(text, raw);
    let kind = match raw.as_bytes().first() {
        _ if depth > MAX_DEPTH => Kind::Other("nested too deep"),
        Some(b'{') => {
            let Entries(entries) = serde_json::from_str(raw).unwrap_or_default();
            let mut found: Vec<(Key, Node)> = Vec::new();
            for (key, value) in entries {
                let span = span_of(text, key.get());
                let name: String = serde_json::from_str(key.get()).unwrap_or_default();
                if found.iter().any(|(key, _)| key.text == name) {
                    let what = format!("\"{name}\" is there twice");
                    errors.push(Unreadable {
                        span,
                        what,
                        is_fatal: false,
                    });
                    continue;
                }
                let node = of_json(text, value, depth + 1, errors);
                found.push((Key { span, text: name }, node));
            }
            Kind::Table(found)
        }
        Some(b'[') => {
            let list: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
            let each = list
                .into_iter()
                .map(|each| of_json(text, each, depth + 1, errors));
            Kind::List(each.collect())
        }
        Some(b'"') => {
            serde_json::from_str(raw).map_or(Kind::Other("text that is not Unicode"), Kind::Text)
        }
        Some(b't' | b'f') => Kind::Flag(raw == "true"),
        Some(b'n') => Kind::Other("null"),
        _ => raw
            .parse()
            .map_or(Kind::Other("a number with a fraction"), Kind::Number),
    };
    Node { span, kind }
}

/// The members of an object as they were written, twice the same name too.
#[derive(Default)]
struct Entries<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    found.push(entry);
                }
                Ok(Entries(found))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The byte at a line and a column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let above = text.split_inclusive('\n').take(line.saturating_sub(1));
    let above: usize = above.map(str::len).sum();
    (above + column.saturating_sub(1)).min(text.len())
}

//! `Reader`: takes values out of a document, and notes every mistake on the way.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::fault::{Fault, Place, alternatives, meant};
use super::node::{Key, Kind, Node};
use crate::types::Invalid;

/// The mistakes of one file.
pub(super) struct Reader<'a> {
    file: PathBuf,
    text: &'a str,
    pub faults: Vec<Fault>,
}

/// The members of a table that has none but those it may have.
pub(super) struct Table<'n> {
    entries: &'n [(Key, Node)],
}

impl<'n> Table<'n> {
    /// The member of this name.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        let mut entries = self.entries.iter();
        entries
            .find(|(key, _)| key.text == name)
            .map(|(_, node)| node)
    }

    /// The names it has, with their places.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'n Key> {
        self.entries.iter().map(|(key, _)| key)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &Path, text: &'a str) -> Self {
        Self {
            file: file.to_owned(),
            text,
            faults: Vec::new(),
        }
    }

    /// The line and column of a byte.
    pub(super) fn place(&self, at: usize) -> Place {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.text[..at];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        Place {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        }
    }

    /// Notes a mistake.
    pub(super) fn fault(&mut self, span: &Range<usize>, what: impl Into<String>) {
        self.fault_near(span, what, Vec::new());
    }

    fn fault_near(&mut self, span: &Range<usize>, what: impl Into<String>, near: Vec<String>) {
        self.faults.push(Fault {
            place: self.place(span.start),
            what: what.into(),
            near,
        });
    }

    /// A table with these members and no others.
    pub(super) fn table<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        valid: &[&str],
    ) -> Option<Table<'n>> {
        let Kind::Table(entries) = &node.kind else {
            self.wrong_kind(node, what, "a table");
            return None;
        };
        for (key, _) in entries {
            if !valid.contains(&key.text.as_str()) {
                let said = Invalid::new(&key.text, "key", "").word;
                let what = format!(
                    "there is no key \"{said}\" in {what}: it has {}",
                    valid.join(", ")
                );
                self.fault_near(&key.span, what, meant(&key.text, valid));
            }
        }
        Some(Table { entries })
    }

    /// The members of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            Kind::List(each) => each,
            _ => {
                self.wrong_kind(node, what, "a list");
                &[]
            }
        }
    }

    /// Text.
    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.kind {
            Kind::Text(text) => Some(text),
            _ => {
                self.wrong_kind(node, what, "text in quotes");
                None
            }
        }
    }

    /// A switch.
    pub(super) fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        match node.kind {
            Kind::Flag(flag) => Some(flag),
            _ => {
                self.wrong_kind(node, what, "true or false");
                None
            }
        }
    }

    /// A number within limits, both included.
    pub(super) fn number<T: TryFrom<i64>>(
        &mut self,
        node: &Node,
        what: &str,
        (least, most): (i64, i64),
    ) -> Option<T> {
        match node.kind {
            Kind::Number(number) if (least..=most).contains(&number) => number.try_into().ok(),
            Kind::Number(number) => {
                self.fault(
                    &node.span,
                    match least == most {
                        true => format!("{number} is not a valid {what}: write {least}"),
                        false => format!("{number} is not a valid {what}: write {least} to {most}"),
                    },
                );
                None
            }
            _ => {
                self.wrong_kind(node, what, "a number");
                None
            }
        }
    }

    /// A value that says itself what it must look like.
    pub(super) fn parsed<T: FromStr<Err = Invalid>>(
        &mut self,
        node: &Node,
        what: &str,
    ) -> Option<T> {
        let text = self.text(node, what)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(invalid) => {
                self.fault(&node.span, Invalid::to_string(&invalid));
                None
            }
        }
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(node, what)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let valid: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let said = Invalid::new(text, "word", "").word;
            let what = format!(
                "\"{said}\" is not a valid {what}: write {}",
                alternatives(&valid)
            );
            self.fault_near(&node.span, what, meant(text, &valid));
        }
        found.map(|(_, value)| *value)
    }

    fn wrong_kind(&mut self, node: &Node, what: &str, expected: &str) {
        let kind = node.kind.name();
        self.fault(
            &node.span,
            format!("{what} is {kind}, and must be {expected}"),
        );
    }
}

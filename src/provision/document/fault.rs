//! `Fault`: a mistake in a document, with its place and what may have been meant.

use std::fmt;
use std::path::PathBuf;

use crate::types::near::near;

/// Where in a file; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The file; `-` is standard input.
    pub file: PathBuf,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column } = self;
        write!(f, "{}:{line}:{column}", file.display())
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// Valid words that are near to the one that stands there.
    pub near: Vec<String>,
}

impl fmt::Display for Fault {
    /// `FILE:LINE:COLUMN: what; did you mean "x"?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if !self.near.is_empty() {
            let quoted: Vec<String> = self.near.iter().map(|word| format!("\"{word}\"")).collect();
            write!(f, "; did you mean {}?", quoted.join(" or "))?;
        }
        Ok(())
    }
}

/// A list as people say it: `a, b or c`.
pub(super) fn alternatives(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// Valid words near to `word`.
pub(super) fn meant(word: &str, valid: &[&str]) -> Vec<String> {
    near(word, valid.iter().copied())
}

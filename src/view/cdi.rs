//! `cdi generate`: what was written, where, and how many devices are in it.

use std::path::Path;

use super::{Field, Row};

/// The row of one document.
pub fn row(path: &Path, devices: usize, is_new: bool) -> Row {
    let word = if is_new { "written" } else { "unchanged" };
    vec![
        Field::new("path", "PATH", path.display().to_string()),
        Field::new("devices", "DEVICES", devices as u64),
        Field::with_text("outcome", "OUTCOME", word.to_owned(), word),
    ]
}

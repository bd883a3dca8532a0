//! `provision check`: mistakes as rows for programs.

use crate::provision::document::Fault;
use crate::view::{Field, Row};

/// A mistake.
pub fn row(fault: &Fault) -> Row {
    let place = &fault.place;
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let mut row = vec![
        Field::new("file", "FILE", place.file.display().to_string()),
        Field::new("line", "LINE", number(place.line)),
        Field::new("column", "COLUMN", number(place.column)),
        Field::new("what", "WHAT", fault.what.as_str()),
    ];
    if !fault.near.is_empty() {
        row.push(Field::new("near", "NEAR", fault.near.clone()));
    }
    row
}

/// There are none.
pub fn valid(pfs: usize) -> String {
    match pfs {
        1 => "the document is valid and declares 1 PF".to_owned(),
        pfs => format!("the document is valid and declares {pfs} PFs"),
    }
}

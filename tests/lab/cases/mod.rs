//! Every case of the lab; a file's `cases()` lists its own.

mod lab_itself;

use crate::case::Case;

pub(crate) fn all() -> Vec<Case> {
    [("lab_itself", lab_itself::cases())]
        .into_iter()
        .flat_map(|(file, cases)| {
            cases.into_iter().map(move |case| Case { name: format!("{file}::{}", case.name), ..case })
        })
        .collect()
}

pub(crate) fn named(name: &str) -> Case {
    all().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case is named {name}"))
}

//! `tests/lab/rows.md`: every measured failure and weak spot of the Go plugins has a case that carries its id.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What was measured, and the weak spots that were found; each row of the lists has one of these.
const MEASURED: &str = "R02 R02b R04 R05 R05b R05c R06 R06b R06c R07 R07b R08 R08c R09 R09b R10 R11 R11b R12 R12b R12c \
     R14 R15 R16 R17 R17b R17c R18 R19 R20 R21 R22 R23 R25 R27 R29 R34 R40 \
     S01 S04 S04b S05 S06 S07 S08 S09 S10 S10b S10c S11 S13 S14 S14b S15 S16 S17 S17b S17c S18 S19 S20 S21 S22 S23 \
     S24 S25 S28 S29 S30 S32 S33 S33b S34 S35 S36 S37 S39b S42 S44 vfio N02";

fn tree() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Heading by heading: an id, and the cases that are named beside it.
type Section = Vec<(String, Vec<String>)>;

fn table() -> BTreeMap<String, Section> {
    let text = fs::read_to_string(tree().join("tests/lab/rows.md")).unwrap();
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut heading = String::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.to_owned();
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, id, cases, _] = cells.as_slice() else {
            continue;
        };
        if *id == "id" || id.starts_with('-') {
            continue;
        }
        let cases = cases.split(',').map(|case| case.trim().trim_matches('`'));
        sections
            .entry(heading.clone())
            .or_default()
            .push(((*id).to_owned(), cases.map(str::to_owned).collect()));
    }
    sections
}

/// A function of a file, with the comment above it.
fn function(text: &str, name: &str) -> Option<String> {
    let at = text.find(&format!("\nfn {name}("))? + 1;
    let comment: usize = text[..at]
        .lines()
        .rev()
        .take_while(|line| line.starts_with("///"))
        .map(|line| line.len() + 1)
        .sum();
    let end = text[at..].find("\n}\n")?;
    Some(text[at - comment..at + end].to_owned())
}

fn carries(text: &str, id: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word.eq_ignore_ascii_case(id))
}

#[test]
fn every_id_has_a_case() {
    let sections = table();
    let ids = |first: &str| -> Vec<String> {
        sections
            .iter()
            .filter(|(heading, _)| heading.starts_with(first))
            .flat_map(|(_, rows)| rows.iter().map(|(id, _)| id.clone()))
            .collect()
    };
    let measured = ids("Measured");
    for id in MEASURED.split_whitespace() {
        assert!(measured.iter().any(|each| each == id), "{id} has no case");
    }
    let weak = ids("Weak spots");
    let spots = (1..=19)
        .map(|n| format!("R{n}"))
        .chain((1..=23).map(|n| format!("I{n}")));
    for id in spots {
        assert!(weak.contains(&id), "{id} has no case");
    }
}

#[test]
fn every_case_is_there_and_carries_its_id() {
    let mut seen = 0;
    for (id, case) in table()
        .into_values()
        .flatten()
        .flat_map(|(id, cases)| cases.into_iter().map(move |case| (id.clone(), case)))
    {
        let (file, name) = case
            .split_once("::")
            .unwrap_or_else(|| panic!("{case:?} is no case"));
        let path = tree()
            .join("tests/lab/cases")
            .join(Path::new(file).with_extension("rs"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{case}: {error}"));
        let body = function(&text, name).unwrap_or_else(|| panic!("there is no {case}"));
        assert!(carries(&body, &id), "{case} does not carry {id}");
        assert!(
            text.matches(name).count() > 1,
            "{case} is not in the list of its file"
        );
        seen += 1;
    }
    assert!(seen > 100, "the table has {seen} cases only");
}

#[test]
fn words_are_told_apart() {
    let text = "use x;\n\n/// Rows R1, S04b.\n/// More.\nfn r17b_one(lab: &Lab) {\n    more\n}\n\nfn two() {\n}\n";
    let one = function(text, "r17b_one").unwrap();
    for (id, has) in [
        ("R1", true),
        ("S04b", true),
        ("r17b", true),
        ("R17", false),
        ("S04", false),
    ] {
        assert_eq!(carries(&one.replace('_', " "), id), has, "{id}");
    }
    assert!(!carries(&function(text, "two").unwrap(), "R1"));
    assert_eq!(function(text, "three"), None);
}

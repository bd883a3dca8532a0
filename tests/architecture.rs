//! The house rules that a scan of the sources can hold: floors, file sizes, opening sentences.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs;
use std::path::{Path, PathBuf};

/// Longest a source file may be, tests inside included.
const MAX_LINES: usize = 400;

/// The floor of each module below `crate`; a module imports only from lower floors.
const FLOORS: [(&str, u8); 21] = [
    ("types", 0),
    ("wire", 1),
    ("kernel", 2),
    ("pci", 3),
    ("netdev", 3),
    ("rdma", 4),
    ("sriov", 4),
    ("attachment", 5),
    ("provision", 5),
    ("doctor", 5),
    ("cni", 5),
    ("installation", 5),
    ("oci", 5),
    ("view", 6),
    ("cli", 7),
    ("plugins", 7),
    ("world", 8),
    ("entry", 8),
    ("exit", 8),
    ("lib", 8),
    ("main", 9),
];

fn floor(module: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, floor)| *floor)
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(
        found.len() > 20,
        "the scan found {} files only",
        found.len()
    );
    found
}

/// The module below `crate` that a file belongs to: its folder, or its own name at the top.
fn module(path: &Path) -> String {
    let below = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    let first = below
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Every `crate::name` (and `rdmactl::name` in main) of a line, comments left out.
fn imports(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    ["crate::", "rdmactl::"]
        .iter()
        .flat_map(|root| {
            code.match_indices(root)
                .map(|(at, root)| &code[at + root.len()..])
        })
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn imports_run_downward() {
    let mut wrong = Vec::new();
    for path in sources() {
        let from = module(&path);
        let own = floor(&from).unwrap_or_else(|| panic!("{from} has no floor: name it in FLOORS"));
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            for to in imports(line) {
                // `crate::{a, b}` would hide its roots from this scan.
                let fine = match floor(&to) {
                    None => from == "main" || own == 8,
                    Some(other) => other < own || to == from || (own == 8 && other == 8),
                };
                if !fine {
                    wrong.push(format!(
                        "{}:{}: {from} imports `{to}`",
                        path.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports that do not run downward:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_scan_sees_an_upward_import() {
    assert_eq!(imports("use crate::cli::Context; // crate::view"), ["cli"]);
    assert_eq!(
        imports("    let x = crate::rdma::device::list(crate::kernel::f());"),
        ["rdma", "kernel"]
    );
    assert!(floor("rdma") < floor("cli") && floor("wire") < floor("kernel"));
}

#[test]
fn files_are_short_and_say_their_job_first() {
    let mut wrong = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") || first.chars().count() > 100 || !first.ends_with(['.', ':'])
        {
            wrong.push(format!(
                "{}: the first line is not one `//!` sentence of at most 100 characters",
                path.display()
            ));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!(
                "{}: {lines} lines, at most {MAX_LINES}",
                path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

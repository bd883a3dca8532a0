//! What ships is what deny.toml allows: licences, the standard registry, one version of each crate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

/// The packages that the released binary is made of, as cargo resolves them from Cargo.lock.
fn shipped() -> Vec<Value> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), node))
        .collect();
    let mut reached = BTreeSet::new();
    let mut next = vec![metadata["resolve"]["root"].as_str().unwrap()];
    while let Some(id) = next.pop() {
        if !reached.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                next.push(dependency["pkg"].as_str().unwrap());
            }
        }
    }
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .filter(|package| reached.contains(package["id"].as_str().unwrap()))
        .cloned()
        .collect()
}

/// The strings of a list in deny.toml.
fn allowed(key: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml")).unwrap();
    let list = text
        .split(&format!("{key} = ["))
        .nth(1)
        .unwrap()
        .split(']')
        .next()
        .unwrap();
    list.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn licences_are_allowed() {
    let allowed = allowed("allow");
    for package in shipped() {
        let licence = package["license"].as_str().unwrap_or_default();
        // `A OR B`: one is enough; `A AND B`: each is needed.
        let fine = licence.replace('/', " OR ").split(" OR ").any(|choice| {
            choice
                .split(" AND ")
                .all(|each| allowed.contains(each.trim_matches(['(', ')', ' '])))
        });
        assert!(fine, "{}: {licence}", package["name"]);
    }
}

#[test]
fn one_version_of_each_from_the_standard_registry() {
    let mut names = BTreeSet::new();
    let packages = shipped();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        assert!(names.insert(name), "{name} is there in two versions");
        if name != "rdmactl" {
            let source = package["source"].as_str().unwrap_or_default();
            assert!(source.starts_with("registry+"), "{name}: {source}");
        }
    }
    // toml brought five; indicatif brings about as many.
    assert!(
        names.contains("clap") && packages.len() < 70,
        "{} packages",
        packages.len()
    );
}

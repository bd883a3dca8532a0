//! The manual pages in man/: made from the command line's own words and from man/prose, and kept so.
//!
//! `UPDATE=1 cargo test --test manual` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use clap::{Arg, Command};

#[path = "manual/page.rs"]
mod page;

fn man() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("man")
}

/// The command line as clap has it, with what clap adds.
fn built() -> Command {
    let mut root = rdmactl::cli::command().term_width(0);
    root.build();
    root
}

fn objects(root: &Command) -> impl Iterator<Item = &Command> {
    let shown = |object: &&Command| !object.is_hide_set() && object.get_name() != "help";
    root.get_subcommands().filter(shown)
}

fn prose(name: &str) -> String {
    let path = man().join(format!("prose/{name}.man"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every page by the name of its file.
fn pages() -> Vec<(String, String)> {
    let mut root = built();
    let names: Vec<String> = objects(&root)
        .map(|each| each.get_name().to_owned())
        .collect();
    let mut pages = vec![(
        "rdmactl.8".to_owned(),
        page::of_program(&mut root, &names, &prose("rdmactl")),
    )];
    for name in &names {
        let object = root.find_subcommand_mut(name).unwrap();
        let text = page::of_object(object, &prose(name), &names);
        pages.push((format!("rdmactl-{name}.8"), text));
    }
    let document = page::of_file(
        "rdmactl-provision.toml",
        "what an SR-IOV host is to have",
        &prose("provision.toml"),
    );
    pages.push(("rdmactl-provision.toml.5".to_owned(), document));
    pages
}

/// Every key that the schema has is told of.
#[test]
fn every_key_of_the_document_is_there() {
    let pages = pages();
    let (_, text) = pages
        .iter()
        .find(|(name, _)| name == "rdmactl-provision.toml.5")
        .unwrap();
    let path = man().join("../deployment/provision.schema.json");
    let schema: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let pf = &schema["$defs"]["pf"]["properties"];
    for place in [
        &schema["properties"],
        &schema["properties"]["host"]["properties"],
        &schema["properties"]["policy"]["properties"],
        pf,
        &pf["match"]["properties"],
        &schema["$defs"]["vf"]["properties"],
        &schema["$defs"]["common"]["properties"],
    ] {
        for key in place.as_object().unwrap().keys() {
            assert!(text.contains(key.as_str()), "{key}");
        }
    }
}

#[test]
fn pages_are_what_the_words_and_the_prose_make() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut stale = Vec::new();
    for (name, text) in pages() {
        let path = man().join(&name);
        if fs::read_to_string(&path).unwrap_or_default() == text {
            continue;
        }
        if update {
            fs::write(&path, text).unwrap();
        } else {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "{stale:?} are not as they would be made: UPDATE=1 cargo test --test manual"
    );
}

#[test]
fn no_page_is_left_of_what_is_no_more() {
    let made: BTreeSet<String> = pages().into_iter().map(|(name, _)| name).collect();
    let prose: BTreeSet<String> = made
        .iter()
        .map(|name| {
            name.trim_end_matches(".8")
                .trim_end_matches(".5")
                .trim_start_matches("rdmactl-")
                .to_owned()
                + ".man"
        })
        .collect();
    let there = |folder: PathBuf| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "prose").collect()
    };
    assert_eq!(there(man()), made);
    assert_eq!(there(man().join("prose")), prose);
}

/// Every example that begins with the program's name is a command line.
#[test]
fn examples_are_command_lines() {
    let mut read = 0;
    for (name, text) in pages() {
        let examples = text.split(".EX\n").skip(1);
        let examples = examples.filter_map(|block| block.split(".EE\n").next());
        let lines = examples.flat_map(str::lines);
        let lines = lines.filter_map(|line| line.strip_prefix("rdmactl "));
        for line in lines.filter(|line| !line.contains('|')) {
            let line = line.replace("\\-", "-");
            let words = std::iter::once("rdmactl")
                .chain(line.split(' '))
                .map(OsString::from);
            let argv = rdmactl::cli::spelled_out(words);
            let outcome = rdmactl::cli::command().try_get_matches_from(argv);
            assert!(outcome.is_ok(), "{name}: {line}: {}", outcome.unwrap_err());
            read += 1;
        }
    }
    assert!(read > 40, "{read}");
}

/// What help calls an option, its value included.
fn heading(arg: &Arg) -> String {
    page::option(arg)
}

#[test]
fn every_option_of_every_command_is_there() {
    let pages = pages();
    let root = built();
    for object in objects(&root) {
        let (_, text) = pages
            .iter()
            .find(|(name, _)| *name == format!("rdmactl-{}.8", object.get_name()))
            .unwrap();
        let mut below = vec![object];
        while let Some(command) = below.pop() {
            below.extend(
                command
                    .get_subcommands()
                    .filter(|verb| verb.get_name() != "help"),
            );
            let own = command
                .get_arguments()
                .filter(|arg| !arg.is_global_set() && !arg.is_hide_set());
            for arg in own.filter(|arg| arg.get_long().is_some_and(|long| long != "help")) {
                assert!(
                    text.contains(&heading(arg)),
                    "{}: {}",
                    command.get_name(),
                    heading(arg)
                );
            }
        }
    }
}

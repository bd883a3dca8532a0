//! The top of a document: its version, the host, the policy, and the list of PFs.

use std::path::Path;
use std::time::Duration;

use super::node::{self, Node};
use super::reader::{Reader, Table};
use super::{Disruptive, Document, Fault, Firmware, Policy, doubles, pf};
use crate::types::{Guid, NetnsMode};

/// The only version there is.
const VERSION: i64 = 1;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// TOML.
    Toml,
    /// JSON.
    Json,
}

impl Language {
    /// By the end of a file name.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// By how it begins: no TOML begins with a brace.
    pub(super) fn of_text(text: &str) -> Self {
        if text.trim_start().starts_with('{') {
            Self::Json
        } else {
            Self::Toml
        }
    }
}

/// One file of a document.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Its name, for messages.
    pub path: &'a Path,
    /// What it says.
    pub text: &'a str,
    /// How it is written.
    pub language: Language,
}

/// Reads the files of a document, the main one first.
///
/// # Errors
/// Every mistake, in the order of the files.
pub fn parse(parts: &[Part<'_>]) -> Result<Document, Vec<Fault>> {
    let mut document = Document {
        rdma_netns: None,
        modules: Vec::new(),
        site: String::new(),
        reserved: Vec::new(),
        policy: Policy::default(),
        pfs: Vec::new(),
    };
    let (mut has_host, mut has_policy) = (None, None);
    let mut faults = Vec::new();
    for part in parts {
        let (root, unreadable) = match part.language {
            Language::Toml => node::toml(part.text),
            Language::Json => node::json(part.text),
        };
        let mut reader = Reader::new(part.path, part.text);
        for each in &unreadable {
            reader.fault(&each.span, each.what.as_str());
        }
        // What is left of text that is no TOML or JSON has mistakes that nobody made.
        if unreadable.iter().all(|each| !each.is_fatal) {
            let known = ["version", "host", "policy", "pf"];
            if let Some(top) = reader.table(&root, "a document", &known) {
                version(&mut reader, &top);
                if let Some(node) = once(&mut reader, &top, "host", &mut has_host) {
                    host(&mut reader, node, &mut document);
                }
                if let Some(node) = once(&mut reader, &top, "policy", &mut has_policy) {
                    document.policy = policy(&mut reader, node);
                }
                if let Some(node) = top.get("pf") {
                    for node in reader.list(node, "pf") {
                        document.pfs.extend(pf::read(&mut reader, node));
                    }
                }
            }
        }
        let mut found = reader.faults;
        found.sort();
        faults.extend(found);
    }
    faults.extend(doubles::find(&document));
    match faults.is_empty() {
        true => Ok(document),
        false => Err(faults),
    }
}

fn version(reader: &mut Reader<'_>, top: &Table<'_>) {
    match top.get("version") {
        Some(node) => {
            reader.number::<i64>(node, "version", (VERSION, VERSION));
        }
        None => reader.fault(
            &(0..0),
            format!("there is no version: write version = {VERSION}"),
        ),
    }
}

/// A table that only one file of a document has.
fn once<'n>(
    reader: &mut Reader<'_>,
    top: &Table<'n>,
    name: &str,
    before: &mut Option<std::path::PathBuf>,
) -> Option<&'n Node> {
    let node = top.get(name)?;
    if let Some(other) = before {
        let what = format!("{name} is in {} already", other.display());
        reader.fault(&node.span, what);
        return None;
    }
    *before = Some(reader.place(0).file);
    Some(node)
}

fn host(reader: &mut Reader<'_>, node: &Node, document: &mut Document) {
    let Some(host) = reader.table(node, "host", &["rdma_netns", "modules", "site", "reserved"])
    else {
        return;
    };
    if let Some(node) = host.get("rdma_netns") {
        let words = [
            ("shared", Some(NetnsMode::Shared)),
            ("exclusive", Some(NetnsMode::Exclusive)),
            ("unmanaged", None),
        ];
        document.rdma_netns = reader.word(node, "rdma_netns", &words).flatten();
    }
    if let Some(node) = host.get("modules") {
        for node in reader.list(node, "modules") {
            let Some(module) = reader.parsed(node, "a module") else {
                continue;
            };
            if document.modules.contains(&module) {
                reader.fault(&node.span, format!("{module} is there twice"));
            } else {
                document.modules.push(module);
            }
        }
    }
    if let Some(node) = host.get("site") {
        document.site = reader.text(node, "site").unwrap_or_default().to_owned();
    }
    if let Some(node) = host.get("reserved") {
        for node in reader.list(node, "reserved") {
            document.reserved.extend(reserved(reader, node));
        }
    }
}

/// A run of GUIDs.
fn reserved(reader: &mut Reader<'_>, node: &Node) -> Option<(Guid, Guid)> {
    let run = reader.table(node, "reserved", &["start", "end"])?;
    let mut of = |key: &str| match run.get(key) {
        Some(node) => reader.parsed::<Guid>(node, key),
        None => {
            reader.fault(&node.span, format!("reserved has no {key}"));
            None
        }
    };
    let (start, end) = (of("start"), of("end"));
    let (start, end) = (start?, end?);
    if end < start {
        reader.fault(&node.span, format!("{end} is below start, {start}"));
        return None;
    }
    Some((start, end))
}

fn policy(reader: &mut Reader<'_>, node: &Node) -> Policy {
    let mut found = Policy::default();
    let Some(policy) = reader.table(node, "policy", &["disruptive", "firmware", "wait"]) else {
        return found;
    };
    if let Some(node) = policy.get("disruptive") {
        let words = [
            ("never", Disruptive::Never),
            ("if-idle", Disruptive::IfIdle),
            ("force", Disruptive::Force),
        ];
        let word = reader.word(node, "disruptive", &words);
        found.disruptive = word.unwrap_or(found.disruptive);
    }
    if let Some(node) = policy.get("firmware") {
        let words = [
            ("unmanaged", Firmware::Unmanaged),
            ("check", Firmware::Check),
            ("write", Firmware::Write),
        ];
        let word = reader.word(node, "firmware", &words);
        found.firmware = word.unwrap_or(found.firmware);
    }
    if let Some(node) = policy.get("wait") {
        found.wait = wait(reader, node).unwrap_or(found.wait);
    }
    found
}

/// `120s` or `2m`.
fn wait(reader: &mut Reader<'_>, node: &Node) -> Option<Duration> {
    const MOST: u64 = 3600;
    let text = reader.text(node, "wait")?;
    let seconds = match (text.strip_suffix('s'), text.strip_suffix('m')) {
        (Some(number), _) => number.parse().ok(),
        (_, Some(number)) => number.parse::<u64>().ok().and_then(|n| n.checked_mul(60)),
        _ => None,
    };
    let seconds = seconds.filter(|seconds| (1..=MOST).contains(seconds));
    if seconds.is_none() {
        let what = "it is not a valid wait: write seconds or minutes, as \"120s\" or \"2m\", of an hour at most";
        reader.fault(&node.span, what);
    }
    seconds.map(Duration::from_secs)
}

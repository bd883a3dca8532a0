//! The CNI folders: whether the plugins there can be run, and whether they are this program.
//!
//! A file is looked into, never run: a preflight that starts strange programs as root is none.

use super::{Facts, Finding, Id};
use crate::kernel::entry::{self, Entry, Kind};
use crate::kernel::file;
use crate::types::build_mark;
use crate::types::shell::quoted;

/// The plugins that are this project's business.
const NAMES: [&str; 2] = ["rdma", "ib-sriov"];

const OWN: &str = "/proc/self/exe";

/// Programs written in Go have 4 to 40 MB.
const MAX_PROGRAM: u64 = 256 * 1024 * 1024;

/// In front of what the linker of Go writes into every program (`cmd/link`, buildinfo).
const GO_BUILDINFO: &[u8] = b"\xff Go buildinf:";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let own = Own::find(facts);
    let mut found = Vec::new();
    let mut there = Vec::new();
    for folder in &facts.cni_folders().bin {
        for name in NAMES {
            let path = format!("{folder}/{name}");
            let Some(entry) = facts.file(entry::look(&facts.host.path(&path))) else {
                continue;
            };
            there.push(name);
            found.extend(examine(facts, &own, folder, name, &entry));
        }
    }
    found.extend(missing(facts, &own, &there));
    found
}

/// A file of this name that is another program: what runtimes start then does not read all that
/// this program reads.
pub(super) fn stranger(facts: &Facts<'_>, name: &str) -> Option<String> {
    let own = Own::find(facts);
    let folders = facts.cni_folders().bin.iter();
    let mut places = folders.map(|folder| format!("{folder}/{name}"));
    places.find(|path| {
        let entry = facts.file(entry::look(&facts.host.path(path)));
        entry.is_some_and(|entry| {
            let strange = |program: Vec<u8>| build_mark::version(&program).is_none();
            let is_whole = entry.kind == Kind::File && entry.size > 0;
            is_whole && !own.is(facts, path, &entry) && facts.program(path).is_some_and(strange)
        })
    })
}

/// This program.
struct Own {
    /// Where it lies, as a shell takes it.
    path: String,
    identity: Option<(u64, u64)>,
    size: u64,
}

impl Own {
    fn find(facts: &Facts<'_>) -> Self {
        let entry = facts.file(entry::look(&facts.host.path(OWN)));
        let target = entry.as_ref().and_then(|entry| entry.target.as_ref());
        let path = target.and_then(|target| target.to_str()).unwrap_or(OWN);
        Self {
            path: quoted(path),
            identity: entry.as_ref().map(|entry| entry.identity),
            size: entry.map_or(0, |entry| entry.size),
        }
    }

    /// The command that puts this program there under this name: as a second name of the other
    /// plugin, where that is this program.
    fn install(&self, facts: &Facts<'_>, folder: &str, name: &str) -> String {
        let path = quoted(&format!("{folder}/{name}"));
        let twins = NAMES.into_iter().filter(|other| *other != name);
        let twin = twins.map(|other| format!("{folder}/{other}")).find(|twin| {
            let entry = facts.file(entry::look(&facts.host.path(twin)));
            entry.is_some_and(|entry| self.is(facts, twin, &entry))
        });
        match twin {
            Some(twin) => format!("ln -f {} {path}", quoted(&twin)),
            None => format!("install -m 755 {} {path}", self.path),
        }
    }

    /// Whether a file is this program: the same file, or one with the same content.
    fn is(&self, facts: &Facts<'_>, path: &str, entry: &Entry) -> bool {
        let is_alike = || {
            let ours = file::read_regular(&facts.host.path(OWN), MAX_PROGRAM);
            ours.is_ok_and(|ours| ours.is_some() && ours == facts.program(path))
        };
        self.identity == Some(entry.identity)
            || entry.kind == Kind::File && self.size == entry.size && is_alike()
    }
}

impl Facts<'_> {
    fn program(&self, path: &str) -> Option<Vec<u8>> {
        self.file(file::read_regular(&self.host.path(path), MAX_PROGRAM))
    }
}

fn examine(
    facts: &Facts<'_>,
    own: &Own,
    folder: &str,
    name: &str,
    entry: &Entry,
) -> Option<Finding> {
    let path = &*format!("{folder}/{name}");
    let cure = |finding: Finding| finding.run(own.install(facts, folder, name));
    if entry.kind == Kind::Dangling {
        let target = entry
            .target
            .as_ref()
            .map(|target| target.display().to_string());
        let finding = Finding::about(Id::PluginsDangling, path)
            .saw(path, format!("leads to {}", target.unwrap_or_default()));
        // A link to nothing would be written through.
        return Some(cure(finding.run(format!("rm {}", quoted(path)))));
    }
    let broken = match entry.kind {
        Kind::Folder => Some("is a folder"),
        Kind::Special | Kind::Dangling => Some("is no regular file"),
        Kind::File if !entry.is_executable => Some("nobody may run it"),
        Kind::File if entry.size == 0 => Some("is empty"),
        Kind::File => None,
    };
    if let Some(broken) = broken {
        let finding = Finding::about(Id::PluginsNotExecutable, path).saw(path, broken);
        return Some(match (broken, entry.kind) {
            (_, Kind::Folder | Kind::Special) => cure(finding.run(format!(
                "mv {} {}",
                quoted(path),
                quoted(&format!("{path}.old"))
            ))),
            _ => cure(finding),
        });
    }
    if own.is(facts, path, entry) {
        return None;
    }
    let program = facts.program(path)?;
    Some(match build_mark::version(&program) {
        Some(version) => {
            let this = env!("CARGO_PKG_VERSION");
            let finding = Finding::about(Id::PluginsOtherBuild, path)
                .saw(path, format!("rdmactl {version}, {} bytes", entry.size))
                .saw(OWN, format!("rdmactl {this}, {} bytes", own.size));
            cure(finding)
        }
        None => {
            let kind = match build_mark::position(&program, GO_BUILDINFO) {
                Some(_) => "a program written in Go, as the plugins of the SR-IOV operator are",
                None => "no build of rdmactl",
            };
            let finding = Finding::about(Id::PluginsForeign, path).saw(path, kind);
            cure(finding.advise("if this program is to serve instead, put it in its place: configurations and state files are the same"))
        }
    })
}

/// Plugins that configurations name and no folder has.
fn missing(facts: &Facts<'_>, own: &Own, there: &[&str]) -> Vec<Finding> {
    let folders = &facts.cni_folders().bin;
    let absent = NAMES.into_iter().filter(|name| !there.contains(name));
    absent
        .filter_map(|name| {
            let named = facts.chains().iter().filter(|chain| chain.has(name));
            let finding = Finding::about(Id::PluginsMissing, name);
            let finding = named.fold(finding, |finding, chain| {
                finding.saw(chain.path.as_str(), format!("has a plugin of type {name}"))
            });
            if finding.evidence.is_empty() {
                return None;
            }
            let folder = folders.first().map_or("/opt/cni/bin", String::as_str);
            let finding = finding.saw(folders.join(" "), "do not have it");
            Some(finding.run(own.install(facts, folder, name)))
        })
        .collect()
}

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

/// The one that this program is under its name.
const OURS: &str = "rdma";

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
            found.extend(examine(facts, &own, &path, name, &entry));
        }
    }
    found.extend(missing(facts, &own, &there));
    found
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

    fn install(&self, path: &str) -> String {
        format!("install -m 755 {} {}", self.path, quoted(path))
    }
}

fn examine(facts: &Facts<'_>, own: &Own, path: &str, name: &str, entry: &Entry) -> Option<Finding> {
    // Only under this name is this program the remedy.
    let cure = |finding: Finding| match name == OURS {
        true => finding.run(own.install(path)),
        false => finding.advise("install the plugin anew"),
    };
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
    if own.identity == Some(entry.identity) {
        return None;
    }
    let program = facts.file(file::read_regular(&facts.host.path(path), MAX_PROGRAM))?;
    let is_same = || {
        let ours = file::read_regular(&facts.host.path(OWN), MAX_PROGRAM).ok()??;
        (ours == program).then_some(())
    };
    if own.size == entry.size && is_same().is_some() {
        return None;
    }
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
            match name == OURS {
                true => finding
                    .advise("if this program is to serve instead, put it in its place: configurations and state files are the same")
                    .run(own.install(path)),
                false => finding.advise("nothing, if it is meant to be there: rdmactl does not serve as this plugin"),
            }
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
            Some(match name == OURS {
                true => finding.run(own.install(&format!("{folder}/{name}"))),
                false => finding.advise(format!("install it in {folder}")),
            })
        })
        .collect()
}

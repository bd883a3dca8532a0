//! The CNI folders: whether the plugins there can be run, and whether they are this program.
//!
//! A file is looked into, never run: a preflight that starts strange programs as root is none.

use super::{Facts, Finding, Id};
use crate::kernel::entry::{self, Entry, Kind};
use crate::kernel::file;
use crate::types::shell::quoted;

/// The plugins that are this project's business.
const NAMES: [&str; 2] = ["rdma", "ib-sriov"];

/// The one that this program is under its name.
const OURS: &str = "rdma";

const OWN: &str = "/proc/self/exe";

/// Programs written in Go have 4 to 40 MB.
const MAX_PROGRAM: u64 = 256 * 1024 * 1024;

/// Stands in the program for every other build to read.
static MARK: &[u8] = concat!("rdmactl build mark: ", env!("CARGO_PKG_VERSION"), ";").as_bytes();

/// What the mark begins with; the version behind it ends with a semicolon.
const MARK_START: usize = "rdmactl build mark: ".len();
const MAX_VERSION: usize = 32;

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
    Some(match version(&program) {
        Some(version) => {
            let this = env!("CARGO_PKG_VERSION");
            let finding = Finding::about(Id::PluginsOtherBuild, path)
                .saw(path, format!("rdmactl {version}, {} bytes", entry.size))
                .saw(OWN, format!("rdmactl {this}, {} bytes", own.size));
            cure(finding)
        }
        None => {
            let kind = match position(&program, GO_BUILDINFO) {
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

/// The version of a build of this program.
fn version(program: &[u8]) -> Option<String> {
    // Or else the compiler compares with numbers, and the mark is nowhere in the program.
    let start = &std::hint::black_box(MARK)[..MARK_START];
    let mut rest = program;
    while let Some(at) = position(rest, start) {
        rest = &rest[at + start.len()..];
        let text: Vec<u8> = rest.iter().copied().take(MAX_VERSION).collect();
        let end = text.iter().position(|byte| *byte == b';');
        let version = end.and_then(|end| std::str::from_utf8(&text[..end]).ok());
        let is_version = |text: &&str| {
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'))
        };
        if let Some(version) = version.filter(is_version) {
            return Some(version.to_owned());
        }
    }
    None
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    loop {
        from += text.get(from..)?.iter().position(|byte| *byte == first)?;
        if text[from..].starts_with(wanted) {
            return Some(from);
        }
        from += 1;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn builds_tell_their_version() {
        let program = [b"\x7fELF rdmactl build mark: ", MARK, b" rest"].concat();
        assert_eq!(
            version(&program).as_deref(),
            Some(env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(
            version(b"rdmactl build mark: 9.9.9-rc1;").as_deref(),
            Some("9.9.9-rc1")
        );
        assert_eq!(version(b"rdmactl build mark: 9.9"), None);
        assert_eq!(version(b"rdmactl build mark: \x1b[2J;"), None);
    }

    proptest! {
        #[test]
        fn found_where_it_is(text in prop::collection::vec(0u8..3, 0..40), wanted in prop::collection::vec(0u8..3, 1..4)) {
            let naive = text.windows(wanted.len()).position(|window| window == wanted);
            prop_assert_eq!(position(&text, &wanted), naive);
            version(&text);
        }
    }
}

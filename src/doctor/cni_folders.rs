//! `CniFolders`: where CNI plugins and their configurations lie, as the runtimes are told.

use super::Facts;
use crate::kernel::file;

/// Where every runtime looks unless it is told otherwise (`DefaultCNIDir` of go-cni, ocicni).
const BIN: &str = "/opt/cni/bin";
const CONF: &str = "/etc/cni/net.d";

const CONTAINERD: &str = "/etc/containerd/config.toml";
const CRIO: &str = "/etc/crio/crio.conf";
const CRIO_FOLDER: &str = "/etc/crio/crio.conf.d";

/// Keys of containerd (`bin_dir` before its 2.1) and of CRI-O.
const BIN_KEYS: [&str; 4] = ["bin_dir", "bin_dirs", "plugin_dir", "plugin_dirs"];
const CONF_KEYS: [&str; 2] = ["conf_dir", "network_dir"];

const MAX_CONFIG: u64 = 1024 * 1024;

/// Nobody has more; a file that names more is not followed.
const MAX_FOLDERS: usize = 16;

/// The folders, without doubles, the usual one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CniFolders {
    /// Of plugins.
    pub bin: Vec<String>,
    /// Of configurations.
    pub conf: Vec<String>,
}

pub(super) fn find(facts: &Facts<'_>) -> CniFolders {
    let mut folders = CniFolders {
        bin: vec![BIN.to_owned()],
        conf: vec![CONF.to_owned()],
    };
    let mut files = vec![CONTAINERD.to_owned(), CRIO.to_owned()];
    for name in facts.file(file::list(&facts.host.path(CRIO_FOLDER))) {
        files.extend(name.to_str().map(|name| format!("{CRIO_FOLDER}/{name}")));
    }
    for path in files {
        let bytes = facts.file(file::read_regular(&facts.host.path(&path), MAX_CONFIG));
        let text = bytes.unwrap_or_default();
        for (key, value) in strings(&String::from_utf8_lossy(&text)) {
            let list = match key.as_str() {
                key if BIN_KEYS.contains(&key) => &mut folders.bin,
                key if CONF_KEYS.contains(&key) => &mut folders.conf,
                _ => continue,
            };
            let value = value.trim_end_matches('/').to_owned();
            let is_sound = value.starts_with('/') && !value.contains('\0');
            if is_sound && !list.contains(&value) && list.len() < MAX_FOLDERS {
                list.push(value);
            }
        }
    }
    folders
}

/// The strings of a TOML file, each with the key it stands behind, in lists too. Enough for keys
/// whose values are paths: neither escapes nor strings of several lines occur in them.
fn strings(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut list_of: Option<String> = None;
    for line in text.lines() {
        let mut rest = line.trim();
        if rest.starts_with(['#', '[']) && list_of.is_none() {
            continue;
        }
        let key = match &list_of {
            Some(key) => key.clone(),
            None => {
                let Some((key, value)) = rest.split_once('=') else {
                    continue;
                };
                rest = value.trim();
                key.trim().trim_matches('"').to_owned()
            }
        };
        let mut opened = list_of.is_some() || rest.starts_with('[');
        while let Some(at) = rest.find(['"', '\'', '#', ']']) {
            match &rest[at..=at] {
                "#" => break,
                "]" => {
                    opened = false;
                    rest = &rest[at + 1..];
                }
                quote => {
                    let Some((value, behind)) = rest[at + 1..].split_once(quote) else {
                        break;
                    };
                    found.push((key.clone(), value.to_owned()));
                    rest = behind;
                }
            }
        }
        list_of = opened.then_some(key);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use proptest::prelude::*;

    #[test]
    fn as_containerd_and_crio_are_told() {
        let machine = Machine::new()
            .file(
                "etc/containerd/config.toml",
                "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.cni]\n  bin_dir = ''\n  \
                 bin_dirs = ['/opt/cni/bin', '/usr/lib/cni/'] # both\n  conf_dir = \"/etc/k3s/net.d\"\n",
            )
            .file(
                "etc/crio/crio.conf.d/10-x.conf",
                "[crio.network]\n#plugin_dirs = [\"/no\"]\nplugin_dirs = [\n  \"/usr/libexec/cni\",\n \
                 # \"/neither\",\n]\nnetwork_dir = \"relative\"\n",
            );
        let host = machine.host();
        let folders = find(&Facts::of(&host));
        assert_eq!(
            folders.bin,
            ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"]
        );
        assert_eq!(folders.conf, ["/etc/cni/net.d", "/etc/k3s/net.d"]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([a-z_]{0,9}[ =\\[\\]'\"#\n/é]{0,4}){0,30}") {
            strings(&text);
        }
    }
}

//! Others that are configured to make VFs on this host: two hands on one count undo each other.

use std::path::Path;

use crate::kernel::file;
use crate::kernel::{FileError, Host};

const MAX_FILE: u64 = 1024 * 1024;

const NM_CONNECTIONS: [&str; 4] = [
    "/etc/NetworkManager/system-connections",
    "/etc/sysconfig/network-scripts",
    "/run/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
];
const NM_CONF: &str = "/etc/NetworkManager/NetworkManager.conf";
const NM_CONF_FOLDERS: [&str; 3] = [
    "/etc/NetworkManager/conf.d",
    "/run/NetworkManager/conf.d",
    "/usr/lib/NetworkManager/conf.d",
];
const NETWORKD: [&str; 4] = [
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
];
/// What udev and networkd read there (systemd.link(5), systemd.network(5)); distributions put examples beside them.
const NETWORKD_ENDS: [&str; 2] = [".link", ".network"];
const CONF: &str = ".conf";
const NETPLAN: [&str; 3] = ["/etc/netplan", "/run/netplan", "/lib/netplan"];
const NETPLAN_KEYS: [&str; 3] = [
    "virtual-function-count",
    "embedded-switch-mode",
    "delay-virtual-functions-rebind",
];
const OPERATOR: &str = "/etc/sriov-operator";
/// What the operator keeps of each PF that it has made VFs of, by PCI address.
const OPERATOR_PFS: &str = "/etc/sriov-operator/pci";

/// Who.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// A connection of NetworkManager, with its id.
    NetworkManager,
    /// systemd's udev rules for links, and networkd.
    Networkd,
    /// netplan.
    Netplan,
    /// The SR-IOV network operator.
    Operator,
}

impl Manager {
    /// What it is called.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NetworkManager => "NetworkManager",
            Self::Networkd => "systemd-networkd",
            Self::Netplan => "netplan",
            Self::Operator => "the SR-IOV network operator",
        }
    }
}

/// A line that has VFs made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose.
    pub manager: Manager,
    /// The file.
    pub path: String,
    /// The line, from 1; `None` for a whole file or folder.
    pub line: Option<usize>,
    /// What it says.
    pub says: String,
    /// What its connection is called, at NetworkManager.
    pub id: Option<String>,
    /// Interfaces and addresses that it is about; empty when it does not say.
    pub about: Vec<String>,
}

impl Claim {
    /// The file, with the line where there is one.
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.path),
            None => self.path.clone(),
        }
    }

    /// Whether it may be about a function that goes by these words: names, addresses.
    pub fn may_mean(&self, words: &[String]) -> bool {
        let fits = |about: &String| {
            let about = about.to_ascii_lowercase();
            words.iter().any(|word| {
                let word = word.to_ascii_lowercase();
                let begins = about.split_once('*').map(|(begin, _)| begin);
                // networkd writes paths, in which an address is a part.
                about == word
                    || begins.is_some_and(|begin| word.starts_with(begin))
                    || word.contains(':') && about.contains(&word)
            })
        };
        self.about.is_empty() || self.about.iter().any(fits)
    }
}

/// A line `KEY=VALUE` of an INI file, with the section it stands in.
struct Line {
    number: usize,
    section: String,
    key: String,
    value: String,
}

/// Comments begin with `#` or `;`; a section counts to the next one.
fn lines(text: &str) -> Vec<Line> {
    let mut section = String::new();
    let mut found = Vec::new();
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.trim().to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            found.push(Line {
                number,
                section: section.clone(),
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
            });
        }
    }
    found
}

/// Reads files, and passes on what cannot be read.
struct Reader<'a> {
    host: &'a Host,
    gap: &'a mut dyn FnMut(FileError),
}

impl Reader<'_> {
    fn took<T: Default>(&mut self, read: Result<T, FileError>) -> T {
        read.unwrap_or_else(|error| {
            (self.gap)(error);
            T::default()
        })
    }

    fn text(&mut self, path: &str) -> String {
        let bytes = file::read_regular(&self.host.path(path), MAX_FILE);
        let bytes = self.took(bytes).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn names(&mut self, folder: &str) -> Vec<String> {
        let names = file::list(&self.host.path(folder));
        let names = self.took(names).into_iter();
        names.filter_map(|name| name.into_string().ok()).collect()
    }

    /// The files of a folder that its owner reads, by the ends of their names, and the drop-ins for them.
    fn files(&mut self, folder: &str, ends: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for name in self.names(folder) {
            let path = format!("{folder}/{name}");
            if name.ends_with(".d") {
                let below = self.names(&path).into_iter();
                let drop_ins = below.filter(|name| name.ends_with(CONF));
                found.extend(drop_ins.map(|name| format!("{path}/{name}")));
            } else if ends.is_empty() || ends.iter().any(|end| name.ends_with(end)) {
                found.push(path);
            }
        }
        found
    }
}

/// Every line that has VFs made; what cannot be read goes to `gap`.
pub fn claims(host: &Host, gap: &mut dyn FnMut(FileError)) -> Vec<Claim> {
    let mut reader = Reader { host, gap };
    let mut found = Vec::new();
    for folder in NM_CONNECTIONS {
        for path in reader.files(folder, &[]) {
            found.extend(connection(&path, &reader.text(&path)));
        }
    }
    let mut conf = vec![NM_CONF.to_owned()];
    conf.extend(
        NM_CONF_FOLDERS
            .iter()
            .flat_map(|folder| reader.files(folder, &[CONF])),
    );
    for path in conf {
        found.extend(defaults(&path, &reader.text(&path)));
    }
    for folder in NETWORKD {
        for path in reader.files(folder, &NETWORKD_ENDS) {
            found.extend(link(&path, &reader.text(&path)));
        }
    }
    for folder in NETPLAN {
        for path in reader.files(folder, &[".yaml"]) {
            found.extend(plan(&path, &reader.text(&path)));
        }
    }
    found.extend(operator(&mut reader));
    found
}

fn is_sriov(section: &str) -> bool {
    section.eq_ignore_ascii_case("sriov") || section.eq_ignore_ascii_case("sr-iov")
}

/// The older files have no sections.
fn is_ifcfg(line: &Line) -> bool {
    line.section.is_empty() && line.key.starts_with("SRIOV_")
}

/// The values of these keys, which may be lists.
fn values(lines: &[Line], keys: &[&str]) -> Vec<String> {
    let named = lines
        .iter()
        .filter(|line| keys.contains(&line.key.as_str()));
    let words = named.flat_map(|line| line.value.split([' ', ';', ',']));
    let words = words.map(|word| word.trim_matches(['"', '\'']));
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn connection(path: &str, text: &str) -> Option<Claim> {
    let lines = lines(text);
    let line = lines
        .iter()
        .find(|line| is_sriov(&line.section) || is_ifcfg(line))?;
    let stem = Path::new(path).file_stem();
    let stem = stem.map(|stem| stem.to_string_lossy());
    let id = lines
        .iter()
        .find(|line| line.section == "connection" && line.key == "id")
        .map(|line| line.value.clone())
        .or(stem.map(|stem| stem.trim_start_matches("ifcfg-").to_owned()));
    Some(Claim {
        manager: Manager::NetworkManager,
        path: path.to_owned(),
        line: Some(line.number),
        says: format!("{}={}", line.key, line.value),
        id,
        about: values(
            &lines,
            &["interface-name", "mac-address", "path", "DEVICE", "HWADDR"],
        ),
    })
}

fn defaults(path: &str, text: &str) -> Vec<Claim> {
    let lines = lines(text);
    let is_meant = |line: &&Line| line.section.starts_with("device") && line.key == "sriov-num-vfs";
    let claim = |line: &Line| {
        let of_section = lines.iter().filter(|other| other.section == line.section);
        let devices = of_section.filter(|other| other.key == "match-device");
        let words = devices.flat_map(|other| other.value.split([',', ';']));
        let words = words.filter_map(|word| {
            let (kind, word) = word.split_once(':')?;
            matches!(kind, "interface-name" | "mac")
                .then(|| word.trim_start_matches('=').to_owned())
        });
        Claim {
            manager: Manager::NetworkManager,
            path: path.to_owned(),
            line: Some(line.number),
            says: format!("{}={}", line.key, line.value),
            id: None,
            about: words.collect(),
        }
    };
    lines.iter().filter(is_meant).map(claim).collect()
}

fn link(path: &str, text: &str) -> Vec<Claim> {
    let lines = lines(text);
    let keys = [
        "Name",
        "OriginalName",
        "MACAddress",
        "PermanentMACAddress",
        "Path",
    ];
    let matched = lines.iter().filter(|line| line.section == "Match");
    let matched = matched.filter(|line| keys.contains(&line.key.as_str()));
    let about = matched.flat_map(|line| line.value.split(' '));
    let about: Vec<String> = about.map(str::to_owned).collect();
    let is_meant = |line: &&Line| is_sriov(&line.section) || line.key == "SR-IOVVirtualFunctions";
    let claim = |line: &Line| Claim {
        manager: Manager::Networkd,
        path: path.to_owned(),
        line: Some(line.number),
        says: format!("{}={}", line.key, line.value),
        id: None,
        about: about.clone(),
    };
    lines.iter().filter(is_meant).map(claim).collect()
}

fn plan(path: &str, text: &str) -> Vec<Claim> {
    let mut found = Vec::new();
    // The keys above a line, each with how far it stands in.
    let mut above: Vec<(usize, &str)> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let inner = line.trim();
        if inner.is_empty() || inner.starts_with('#') {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        above.retain(|(other, _)| *other < depth);
        let key = inner.split(':').next().unwrap_or_default();
        let key = key.trim_matches(['"', '\'']);
        if NETPLAN_KEYS.contains(&key) {
            let about = above.last().map(|(_, name)| (*name).to_owned());
            found.push(Claim {
                manager: Manager::Netplan,
                path: path.to_owned(),
                line: Some(number),
                says: inner.to_owned(),
                id: None,
                about: about.into_iter().collect(),
            });
        }
        above.push((depth, key));
    }
    found
}

fn operator(reader: &mut Reader<'_>) -> Option<Claim> {
    let names = reader.names(OPERATOR);
    let first = names.first()?;
    let mut about = reader.names(OPERATOR_PFS);
    for name in names.iter().filter(|name| name.ends_with(".yaml")) {
        let text = reader.text(&format!("{OPERATOR}/{name}"));
        let values = text.lines().filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            let key = key.trim().trim_start_matches("- ");
            key.eq_ignore_ascii_case("pciaddress")
                .then(|| value.trim().trim_matches(['"', '\'']).to_owned())
        });
        about.extend(values.filter(|value| !value.is_empty()));
    }
    Some(Claim {
        manager: Manager::Operator,
        path: OPERATOR.to_owned(),
        line: None,
        says: format!("{} files, such as {first}", names.len()),
        id: None,
        about,
    })
}

#[cfg(test)]
mod tests;

//! Others that are configured to make VFs on this host: two hands on one count undo each other.

use std::path::Path;

use super::{Facts, Finding, Id};
use crate::kernel::file;
use crate::types::shell::quoted;

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
const NETPLAN: [&str; 3] = ["/etc/netplan", "/run/netplan", "/lib/netplan"];
const NETPLAN_KEYS: [&str; 3] = [
    "virtual-function-count",
    "embedded-switch-mode",
    "delay-virtual-functions-rebind",
];
const OPERATOR: &str = "/etc/sriov-operator";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(network_manager(facts));
    found.extend(networkd(facts));
    found.extend(netplan(facts));
    found.extend(operator(facts));
    found
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

fn read(facts: &Facts<'_>, path: &str) -> Option<String> {
    let bytes = facts.file(file::read_regular(&facts.host.path(path), MAX_FILE))?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files of a folder, and of the folders of drop-ins in it.
fn files(facts: &Facts<'_>, folder: &str) -> Vec<String> {
    let names = |folder: &str| -> Vec<String> {
        let names = facts.file(file::list(&facts.host.path(folder))).into_iter();
        names.filter_map(|name| name.into_string().ok()).collect()
    };
    let mut found = Vec::new();
    for name in names(folder) {
        let path = format!("{folder}/{name}");
        if name.ends_with(".d") {
            found.extend(
                names(&path)
                    .into_iter()
                    .map(|name| format!("{path}/{name}")),
            );
        } else {
            found.push(path);
        }
    }
    found
}

fn is_sriov(section: &str) -> bool {
    section.eq_ignore_ascii_case("sriov") || section.eq_ignore_ascii_case("sr-iov")
}

fn network_manager(facts: &Facts<'_>) -> Option<Finding> {
    let mut finding = Finding::new(Id::ManagersNetworkManager);
    for path in NM_CONNECTIONS
        .iter()
        .flat_map(|folder| files(facts, folder))
    {
        let text = read(facts, &path).unwrap_or_default();
        let lines = lines(&text);
        let Some(line) = lines
            .iter()
            .find(|line| is_sriov(&line.section) || is_ifcfg(line))
        else {
            continue;
        };
        let stem = Path::new(&path)
            .file_stem()
            .map(|stem| stem.to_string_lossy());
        let id = lines
            .iter()
            .find(|line| line.section == "connection" && line.key == "id")
            .map(|line| line.value.clone())
            .or(stem.map(|stem| stem.trim_start_matches("ifcfg-").to_owned()));
        finding = finding.saw(
            format!("{path}:{}", line.number),
            format!("{}={}", line.key, line.value),
        );
        finding = finding.run(format!(
            "nmcli connection modify {} remove sriov",
            quoted(&id.unwrap_or_default())
        ));
    }
    let conf = NM_CONF_FOLDERS
        .iter()
        .flat_map(|folder| files(facts, folder));
    for path in [NM_CONF.to_owned()].into_iter().chain(conf) {
        let text = read(facts, &path).unwrap_or_default();
        for line in lines(&text) {
            let (section, key) = (line.section.as_str(), line.key.as_str());
            if section.starts_with("device") && key == "sriov-num-vfs" {
                let place = format!("{path}:{}", line.number);
                finding = finding
                    .saw(place, format!("{key}={}", line.value))
                    .run(format!("sed -i '{}d' {}", line.number, quoted(&path)));
            }
        }
    }
    (!finding.evidence.is_empty()).then(|| {
        finding.advise("let one of the two make the VFs; to have it be rdmactl, take this out")
    })
}

/// The older files have no sections.
fn is_ifcfg(line: &Line) -> bool {
    line.section.is_empty() && line.key.starts_with("SRIOV_")
}

fn networkd(facts: &Facts<'_>) -> Option<Finding> {
    let mut finding = Finding::new(Id::ManagersNetworkd);
    for path in NETWORKD.iter().flat_map(|folder| files(facts, folder)) {
        let text = read(facts, &path).unwrap_or_default();
        for line in lines(&text) {
            if is_sriov(&line.section) || line.key == "SR-IOVVirtualFunctions" {
                let place = format!("{path}:{}", line.number);
                finding = finding.saw(place, format!("{}={}", line.key, line.value));
            }
        }
    }
    (!finding.evidence.is_empty()).then(|| {
        finding
            .advise("let one of the two make the VFs; to have it be rdmactl, take these lines out")
    })
}

fn netplan(facts: &Facts<'_>) -> Option<Finding> {
    let mut finding = Finding::new(Id::ManagersNetplan);
    for path in NETPLAN.iter().flat_map(|folder| files(facts, folder)) {
        let text = read(facts, &path).unwrap_or_default();
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            let key = line
                .split(':')
                .next()
                .unwrap_or_default()
                .trim_matches(['"', '\'']);
            if NETPLAN_KEYS.contains(&key) {
                finding = finding.saw(format!("{path}:{number}"), line);
            }
        }
    }
    (!finding.evidence.is_empty()).then(|| {
        finding
            .advise("let one of the two make the VFs; to have it be rdmactl, take these lines out, then")
            .run("netplan generate")
    })
}

fn operator(facts: &Facts<'_>) -> Option<Finding> {
    let names = facts.file(file::list(&facts.host.path(OPERATOR)));
    let first = names.first()?.to_string_lossy().into_owned();
    Some(
        Finding::new(Id::ManagersOperator)
            .saw(OPERATOR, format!("{} files, such as {first}", names.len()))
            .advise("leave VFs to the operator, or exclude this node from its policies (nodeSelector) and remove the folder"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sections_and_comments() {
        let text = "a=1\n[sriov]\n# total-vfs=9\n total-vfs = 4\n[x\n;y=1\nodd\n";
        let told: Vec<_> = lines(text)
            .into_iter()
            .map(|line| (line.number, line.section, line.key, line.value))
            .collect();
        let line = |number, section: &str, key: &str, value: &str| {
            (number, section.to_owned(), key.to_owned(), value.to_owned())
        };
        assert_eq!(
            told,
            [line(1, "", "a", "1"), line(4, "sriov", "total-vfs", "4")]
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([a-z\\[\\]=#;: \n'\"é-]{0,9}){0,20}") {
            lines(&text);
        }
    }
}

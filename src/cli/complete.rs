//! `complete WORD...`: what the last word can become, for the shells: keywords and live names.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

use super::reader::command;
use super::words::place::{Place, place};
use crate::doctor::Area;
use crate::kernel::{Host, file, interfaces};
use crate::pci::{device, function};
use crate::sriov::pf::{self, Pf};
use crate::types::DeviceId;

/// The word behind the program's name that asks for it. It is no command: people never type it.
const WORD: &str = "complete";

/// Told to the shell where the names of files are wanted. No candidate begins so.
const FILES: &str = ":files";

/// A word, and what it is.
type Candidate = (String, String);

/// The words to complete, the program's name first; `None` for every other call.
pub(super) fn asked(argv: &[OsString]) -> Option<Vec<OsString>> {
    let (name, rest) = argv.split_first()?;
    let (word, typed) = rest.split_first()?;
    (word == WORD).then(|| {
        let first = std::iter::once(name.clone());
        first.chain(typed.iter().cloned()).collect()
    })
}

/// A line a candidate: the word, a tab, what it is.
pub(super) fn lines(host: &Host, words: &[OsString]) -> String {
    let root = command();
    let (last, before) = match words {
        [_, .., last] => (last.as_os_str(), &words[..words.len() - 1]),
        _ => (OsStr::new(""), words),
    };
    let Some(prefix) = last.to_str() else {
        return String::new();
    };
    let place = place(&root, before);
    let found = place.map_or_else(Vec::new, |place| candidates(host, &place, prefix));
    let fitting = found.into_iter().filter(|(word, _)| {
        // A name with a control character would be more than a line to the shell.
        let sound = !word.chars().any(char::is_control);
        word == FILES || sound && word.starts_with(prefix)
    });
    fitting
        .map(|(word, what)| format!("{word}\t{what}\n"))
        .collect()
}

fn candidates(host: &Host, place: &Place<'_>, prefix: &str) -> Vec<Candidate> {
    if let Some(arg) = place.awaits {
        return values(host, place.at, arg);
    }
    let mut found = Vec::new();
    if prefix.starts_with('-') {
        let given = prefix.split_once('=').map(|(name, _)| name);
        for arg in &place.options {
            let Some(long) = arg.get_long().map(|long| format!("--{long}")) else {
                continue;
            };
            if given == Some(long.as_str()) {
                let values = values(host, place.at, arg);
                found.extend(
                    values
                        .into_iter()
                        .map(|(word, what)| (format!("{long}={word}"), what)),
                );
            } else if given.is_none() {
                found.push((long, help(arg)));
            }
        }
        return found;
    }
    if place.verbs {
        for verb in place
            .at
            .get_subcommands()
            .filter(|verb| !verb.is_hide_set())
        {
            let about = verb.get_about().map(ToString::to_string);
            found.push((verb.get_name().to_owned(), about.unwrap_or_default()));
        }
    }
    if let Some(arg) = place.positional {
        found.extend(values(host, place.at, arg));
    }
    let keys = place.keys.iter();
    found.extend(keys.filter_map(|arg| Some((arg.get_long()?.to_owned(), help(arg)))));
    found
}

fn help(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

/// What an argument can be, by the name that help has for its value.
fn values(host: &Host, at: &Command, arg: &Arg) -> Vec<Candidate> {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let possible = possible.iter().filter(|value| !value.is_hide_set());
        let possible = possible.map(|value| {
            let help = value.get_help().map(ToString::to_string);
            (value.get_name().to_owned(), help.unwrap_or_default())
        });
        return possible.collect();
    }
    let id = arg.get_id().as_str().to_uppercase();
    let name = arg.get_value_names().and_then(<[_]>::first);
    let name = name.map_or(id.as_str(), |name| name.as_str());
    name.split('|')
        .flat_map(|word| of_kind(host, at, word))
        .collect()
}

fn of_kind(host: &Host, at: &Command, kind: &str) -> Vec<Candidate> {
    let words = |words: &[&str], what: &str| {
        let each = words
            .iter()
            .map(|word| ((*word).to_owned(), what.to_owned()));
        each.collect()
    };
    match kind {
        "DEV" => devices(host),
        "DEV/PORT" => ports(host),
        "DEV[/PORT]" => [devices(host), ports(host)].concat(),
        "PF" => pfs(host),
        "VF" => vfs(host),
        "NETNS" => namespaces(host),
        "NETDEV" => netdevs(host),
        "FILE" | "FOLDER" => vec![(FILES.to_owned(), String::new())],
        "STATE" => words(&["auto", "enable", "disable"], "Link state"),
        "PROTO" => words(&["802.1q", "802.1ad"], "Kind of VLAN"),
        "GUID" | "MAC" => words(&["none"], "Take it back"),
        "AREA" => words(&Area::ALL.map(Area::as_str), "Area"),
        "TYPE" => words(&["rxe", "siw"], "Driver"),
        // Soft devices are told by no file; a wrong one is refused.
        "NAME" if at.get_name() == "delete" => devices(host),
        literal if literal.chars().all(|c| c.is_ascii_lowercase() || c == '-') => {
            words(&[literal], "")
        }
        _ => Vec::new(),
    }
}

fn named(names: impl IntoIterator<Item = String>, what: &str) -> Vec<Candidate> {
    names
        .into_iter()
        .map(|name| (name, what.to_owned()))
        .collect()
}

fn devices(host: &Host) -> Vec<Candidate> {
    let names = host.sysfs().list_if_there("class/infiniband");
    named(names.unwrap_or_default(), "RDMA device")
}

fn ports(host: &Host) -> Vec<Candidate> {
    let sysfs = host.sysfs();
    let all = devices(host).into_iter().flat_map(|(name, _)| {
        let ports = sysfs.list_if_there(format!("class/infiniband/{name}/ports"));
        let ports = ports.unwrap_or_default().into_iter();
        ports.map(move |port| format!("{name}/{port}"))
    });
    named(all.collect::<Vec<_>>(), "Port")
}

fn netdevs(host: &Host) -> Vec<Candidate> {
    named(interfaces::list(host), "Network interface")
}

fn namespaces(host: &Host) -> Vec<Candidate> {
    let names = file::list(&host.path("/run/netns")).unwrap_or_default();
    let names = names.into_iter().filter_map(|name| name.into_string().ok());
    named(names, "Network namespace")
}

/// The ways to name a PF: by interface, RDMA device and address.
fn ways(host: &Host, pf: &Pf) -> Vec<String> {
    let sysfs = host.sysfs();
    let netdevs = function::netdevs(sysfs, pf.address).unwrap_or_default();
    let mut names: Vec<String> = netdevs.iter().map(ToString::to_string).collect();
    names.extend(device::rdma_names(sysfs, &DeviceId::Pci(pf.address)).unwrap_or_default());
    names.push(pf.address.to_string());
    names
}

fn pfs(host: &Host) -> Vec<Candidate> {
    let pfs = pf::list(host.sysfs()).unwrap_or_default();
    let each = pfs.iter().flat_map(|pf| {
        let what = format!("PF, {} of {} VFs", pf.vfs.len(), pf.total_vfs);
        named(ways(host, pf), &what)
    });
    each.collect()
}

fn vfs(host: &Host) -> Vec<Candidate> {
    let pfs = pf::list(host.sysfs()).unwrap_or_default();
    let mut found = Vec::new();
    for pf in &pfs {
        let names = ways(host, pf);
        for vf in &pf.vfs {
            let own = ways(
                host,
                &Pf {
                    address: vf.address,
                    total_vfs: 0,
                    vfs: Vec::new(),
                },
            );
            let what = format!(
                "VF {} of {}",
                vf.index,
                names.first().map_or("", String::as_str)
            );
            found.extend(named(
                names.iter().map(|name| format!("{name}/{}", vf.index)),
                &what,
            ));
            found.extend(named(own, &what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    fn machine() -> Machine {
        let mut machine = Machine::new()
            .file("run/netns/blue", "")
            .file("proc/thread-self/net/dev", "a\nb\n eth0: 0\n    lo: 0\n");
        for (address, dev) in [("0000:01:00.0", "mlx5_0"), ("0000:01:10.0", "mlx5_1")] {
            machine = machine
                .link(
                    &format!("sys/bus/pci/devices/{address}"),
                    &format!("../../../devices/{address}"),
                )
                .file(&format!("sys/devices/{address}/infiniband/{dev}/x"), "")
                .file(&format!("sys/class/infiniband/{dev}/ports/1/state"), "");
        }
        machine
            .file("sys/devices/0000:01:00.0/sriov_totalvfs", "4")
            .link("sys/devices/0000:01:00.0/virtfn0", "../0000:01:10.0")
            .link("sys/devices/0000:01:10.0/physfn", "../0000:01:00.0")
    }

    /// The words that `line`, whose last word is what is being typed, can go on with.
    fn words(line: &str) -> Vec<String> {
        let machine = machine();
        let typed: Vec<OsString> = line.split(' ').map(Into::into).collect();
        let lines = lines(&machine.host(), &typed);
        let words = lines.lines().map(|line| line.split_once('\t').unwrap().0);
        words.map(str::to_owned).collect()
    }

    #[test]
    fn only_when_it_is_asked_for() {
        let asked = |line: &str| asked(&line.split(' ').map(Into::into).collect::<Vec<_>>());
        assert_eq!(
            asked("rdmactl complete dev sh"),
            Some(vec!["rdmactl".into(), "dev".into(), "sh".into()])
        );
        for line in ["rdmactl", "rdmactl dev complete", "complete"] {
            assert_eq!(asked(line), None, "{line}");
        }
    }

    #[test]
    fn keywords_options_and_keys() {
        assert_eq!(words("rdmactl s"), ["system", "statistic"]);
        assert_eq!(words("rdmactl -j d"), ["dev", "doctor"]);
        assert_eq!(words("rdmactl --netns blue dev set mlx5_0 na"), ["name"]);
        assert_eq!(words("rdmactl sy set n"), ["netns"]);
        assert_eq!(words("rdmactl system set netns "), ["shared", "exclusive"]);
        assert_eq!(words("rdmactl --dr"), ["--dry-run"]);
        assert_eq!(words("rdmactl dev reclaim --fr"), ["--from"]);
        assert_eq!(words("rdmactl link add rxe0 "), ["type", "netdev"]);
        assert_eq!(words("rdmactl link add rxe0 type rxe "), ["netdev"]);
        assert_eq!(
            words("rdmactl vf set mlx5_0/0 state "),
            ["auto", "enable", "disable"]
        );
        assert_eq!(words("rdmactl --format js"), ["json"]);
        assert_eq!(words("rdmactl --format=js"), ["--format=json"]);
        assert_eq!(words("rdmactl -b "), [FILES]);
        assert_eq!(words("rdmactl p"), ["provision"]);
        assert_eq!(words("rdmactl provision plan --file "), [FILES]);
        assert_eq!(words("rdmactl bogus "), [""; 0]);
        assert_eq!(words("rdmactl dev show -- --j"), [""; 0]);
    }

    #[test]
    fn live_names() {
        assert_eq!(words("rdmactl dev show mlx5_"), ["mlx5_0", "mlx5_1"]);
        assert_eq!(words("rdmactl d se mlx5_0 ne "), ["blue"]);
        assert_eq!(words("rdmactl --netns "), ["blue"]);
        assert_eq!(words("rdmactl --netns="), ["--netns=blue"]);
        assert_eq!(words("rdmactl link show mlx5_1"), ["mlx5_1", "mlx5_1/1"]);
        assert_eq!(words("rdmactl link add r0 type siw netdev e"), ["eth0"]);
        assert_eq!(words("rdmactl link delete mlx5_1"), ["mlx5_1"]);
        for line in ["rdmactl vf create ", "rdmactl provision export "] {
            assert_eq!(words(line), ["mlx5_0", "0000:01:00.0"]);
        }
        assert_eq!(
            words("rdmactl vf set "),
            ["mlx5_0/0", "0000:01:00.0/0", "mlx5_1", "0000:01:10.0"]
        );
        assert_eq!(
            words("rdmactl topology mlx5_"),
            ["mlx5_0", "mlx5_0", "mlx5_1"]
        );
    }

    #[test]
    fn an_empty_machine_and_no_words() {
        let machine = Machine::new();
        let host = machine.host();
        for line in [
            &[][..],
            &["rdmactl"],
            &["rdmactl", "vf", "set", ""],
            &["rdmactl", "dev", "show", "\u{1}"],
        ] {
            let words: Vec<OsString> = line.iter().map(Into::into).collect();
            lines(&host, &words);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in "([a-z]{0,3}|dev|show|--[a-z]{0,3}|-j|--|=| )( ([a-z]{0,9}|set|vf|--netns|type)){0,5}") {
            words(&line);
        }
    }
}

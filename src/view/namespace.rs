//! Namespaces in words: what each is, who is in it, and the way in.

use super::{Field, Row};
use crate::kernel::Namespace;
use crate::kernel::namespace::Process;
use crate::kernel::owner::{Owner, Runtime};
pub use crate::types::shell::quoted;

/// A person reads so many and no more.
pub const MAX_LISTED: usize = 10;

/// Digits of a pod's uid before its first dash.
const POD_BEGIN: usize = 8;

/// Processes of one namespace that are named.
const MAX_PROCESSES: usize = 3;

/// At most [`MAX_LISTED`] of the words, and how many more there are.
pub fn list_of(words: impl ExactSizeIterator<Item = String>) -> String {
    let more = words.len().saturating_sub(MAX_LISTED);
    let listed: Vec<String> = words.take(MAX_LISTED).collect();
    let mut text = listed.join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

/// One namespace: its name or inode, and who is in it.
pub fn describe(namespace: &Namespace) -> String {
    let mut facts = Vec::new();
    if namespace.is_initial {
        facts.push("the initial one".to_owned());
    }
    if namespace.is_current {
        facts.push("the caller's".to_owned());
    }
    if let Some(path) = namespace.paths.first() {
        let path = path.to_string_lossy().replace(char::is_control, "?");
        if path != namespace.word() {
            facts.push(path);
        }
    }
    // Everybody is in the initial one.
    if !namespace.is_initial {
        let named = namespace.processes.iter().take(MAX_PROCESSES);
        facts.extend(named.map(process));
        match namespace.population.saturating_sub(MAX_PROCESSES) {
            0 => {}
            1 => facts.push("1 more process".to_owned()),
            more => facts.push(format!("{more} more processes")),
        }
    }
    for holder in namespace.holders.iter().take(MAX_PROCESSES) {
        let path = holder.link.display();
        facts.push(format!(
            "held open by {} as {path}",
            process(&holder.process)
        ));
    }
    if namespace.population == 0 && namespace.holders.is_empty() {
        facts.push("no process".to_owned());
    }
    format!("{} ({})", namespace.word(), facts.join(", "))
}

/// The namespace of a record, as fields of it; with details also its inode and the first process
/// in it. Tables say whose a record is where it is not the caller's.
pub fn fields(namespace: &Namespace, details: bool) -> Row {
    let is_told = details || !namespace.is_current;
    let head = if is_told { "NETNS" } else { "" };
    let mut row = vec![Field::new("netns", head, namespace.word())];
    if !details {
        return row;
    }
    row.push(Field::new("netns_inode", "NETNS INODE", namespace.id.0));
    if let Some(process) = occupant(namespace) {
        row.push(Field::new("netns_pid", "NETNS PID", process.pid));
        row.push(Field::new(
            "netns_comm",
            "NETNS COMMAND",
            process.comm.as_str(),
        ));
        row.extend(process.owner.iter().flat_map(owned_by));
    }
    row
}

/// The first process in a namespace. Everybody is in the initial one, and the caller in his.
fn occupant(namespace: &Namespace) -> Option<&Process> {
    let told = !namespace.is_initial && !namespace.is_current;
    namespace.processes.first().filter(|_| told)
}

/// A namespace and the first process in it, for where there is little room.
pub(super) fn holder(namespace: &Namespace) -> String {
    match occupant(namespace) {
        Some(first) => format!("{}, {}", namespace.word(), brief(first)),
        None => namespace.word(),
    }
}

/// A process where there is little room: of its pod, else its container, else its unit, with the
/// beginnings of long ids.
pub(super) fn brief(process: &Process) -> String {
    let Some(owner) = &process.owner else {
        return format!("pid {} {}", process.pid, process.comm);
    };
    let pod = owner.pod.as_deref().map(|pod| {
        let begin = pod.get(..POD_BEGIN).unwrap_or(pod);
        format!(" of pod {begin}")
    });
    let container = owner.container.as_ref();
    let container = container.map(|each| format!(" of container {}", short(&each.id)));
    let unit = owner.unit.as_ref();
    let unit = unit.map(|unit| format!(" of {}", unit.name));
    let whose = pod.or(container).or(unit).unwrap_or_default();
    format!("pid {} {}{whose}", process.pid, process.comm)
}

/// The unit, container and pod of the process in a namespace.
fn owned_by(owner: &Owner) -> Row {
    let unit = owner.unit.as_ref().map(|unit| unit.name.as_str());
    let container = owner.container.as_ref().map(|each| each.id.as_str());
    let word = |key, head, word: Option<&str>| word.map(|word| Field::new(key, head, word));
    [
        word("netns_unit", "NETNS UNIT", unit),
        word("netns_container", "NETNS CONTAINER", container),
        word("netns_pod", "NETNS POD", owner.pod.as_deref()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A row with the fields of its namespace: at the end for programs and tables, and in text at the
/// end of the first line.
pub fn labelled(row: Row, label: &[Field]) -> Row {
    let broken = row.iter().position(|field| field.broken);
    let mut row = row;
    let Some(at) = broken else {
        row.extend_from_slice(label);
        return row;
    };
    let in_text = label.iter().cloned().map(|field| Field {
        head: "".into(),
        ..field.not_in_json()
    });
    row.splice(at..at, in_text);
    row.extend(label.iter().cloned().map(Field::not_in_text));
    row
}

/// The row without the fields of a namespace.
pub fn unlabelled(mut row: Row) -> Row {
    row.retain(|field| !field.key.starts_with("netns"));
    row
}

/// How many processes only root can look at.
pub fn hidden_processes(count: usize) -> String {
    match count {
        1 => "1 process of another user cannot be looked at".to_owned(),
        many => format!("{many} processes of other users cannot be looked at"),
    }
}

/// A process: its number, its command, and who answers for it.
pub fn process(process: &Process) -> String {
    let owner = process.owner.as_ref().map(owner).unwrap_or_default();
    format!("pid {} {}{owner}", process.pid, process.comm)
}

/// The pod and container if there is one, else the unit: a container's scope says nothing more.
fn owner(owner: &Owner) -> String {
    let mut words = String::new();
    if let Some(container) = &owner.container {
        let runtime = match container.runtime {
            Runtime::Docker => "Docker container",
            Runtime::Containerd => "containerd container",
            Runtime::CriO => "CRI-O container",
            Runtime::Podman => "Podman container",
            Runtime::Lxc => "LXC container",
            Runtime::Nspawn => "systemd-nspawn machine",
            Runtime::Unknown => "container",
        };
        words.push_str(&format!(" of {runtime} {}", short(&container.id)));
    }
    if let Some(pod) = &owner.pod {
        words.push_str(&format!(" of pod {pod}"));
    }
    match &owner.unit {
        Some(unit) if words.is_empty() => match unit.user {
            Some(uid) => format!(" of {} of user {uid}", unit.name),
            None => format!(" of {}", unit.name),
        },
        _ => words,
    }
}

/// The part of a container's id that its tools print and take.
pub(super) fn short(id: &str) -> &str {
    let is_hash = id.len() == 64 && id.is_ascii();
    if is_hash { &id[..12] } else { id }
}

/// A command, to be run in a namespace.
pub fn inside(namespace: &Namespace, command: &str) -> Option<String> {
    let path = namespace.paths.first().map(|path| path.to_string_lossy());
    if let Some(name) = path
        .as_ref()
        .and_then(|path| path.strip_prefix("/run/netns/"))
    {
        return Some(format!("ip netns exec {} {command}", quoted(name)));
    }
    let process = namespace.processes.first().map(|process| process.pid);
    let way = if namespace.is_initial {
        "/proc/1/ns/net".to_owned()
    } else if let Some(path) = path {
        quoted(&path)
    } else if let Some(pid) = process {
        format!("/proc/{pid}/ns/net")
    } else {
        namespace.holders.first()?.link.display().to_string()
    };
    Some(format!("nsenter --net={way} {command}"))
}

#[cfg(test)]
pub(in crate::view) mod tests {
    use super::*;
    use crate::kernel::namespace::Holder;
    use crate::kernel::netns::NetnsId;
    use std::path::PathBuf;

    const ID: &str = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";

    pub(in crate::view) fn namespace(path: Option<&str>, pids: &[(u32, &str, &str)]) -> Namespace {
        Namespace {
            id: NetnsId(4026532281),
            paths: path.map(PathBuf::from).into_iter().collect(),
            processes: pids
                .iter()
                .map(|(pid, comm, cgroup)| Process {
                    pid: *pid,
                    comm: (*comm).to_owned(),
                    owner: Owner::read(&cgroup.replace("ID", ID)),
                })
                .collect(),
            population: pids.len(),
            holders: Vec::new(),
            is_current: false,
            is_initial: false,
        }
    }

    #[test]
    fn held_from_outside() {
        let mut held = namespace(None, &[]);
        held.holders.push(Holder {
            process: Process {
                pid: 5,
                comm: "sleep".to_owned(),
                owner: None,
            },
            link: "/proc/5/fd/3".into(),
        });
        assert_eq!(
            describe(&held),
            "net:[4026532281] (held open by pid 5 sleep as /proc/5/fd/3)"
        );
        assert_eq!(inside(&held, "x").unwrap(), "nsenter --net=/proc/5/fd/3 x");
        assert_eq!(
            inside(&namespace(Some("/run/netns/p"), &[]), "x").unwrap(),
            "ip netns exec p x"
        );
        held.is_initial = true;
        assert_eq!(
            inside(&held, "x").unwrap(),
            "nsenter --net=/proc/1/ns/net x"
        );
    }
}

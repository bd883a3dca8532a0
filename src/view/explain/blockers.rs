//! What keeps the namespace mode as it is, and the commands that change that.

use super::Advice;
use crate::kernel::Namespace;
use crate::kernel::namespace::Process;
use crate::kernel::owner::{Owner, Runtime};
use crate::rdma::RdmaError;
use crate::view::namespace::{MAX_LISTED, describe, hidden_processes, list_of, quoted, short};

/// What keeps the mode as it is, and the commands that change that.
pub(super) fn advice(error: &RdmaError, blockers: &[Namespace], hidden: usize) -> Advice {
    let again = match error {
        RdmaError::NamespacesExist { wanted, .. } => format!("rdmactl system set netns {wanted}"),
        _ => return (None, None),
    };
    let persist = format!("{again} --persist, then reboot");
    let unknown = match hidden {
        0 => String::new(),
        hidden => format!("; {}", hidden_processes(hidden)),
    };
    let cause = match blockers.len() {
        0 => format!(
            "other network namespaces exist, but nothing visible keeps them: they are still being removed, or only a socket holds them{unknown}"
        ),
        1 => format!(
            "another network namespace exists: {}{unknown}",
            describe(&blockers[0])
        ),
        count => format!(
            "{count} other network namespaces exist: {}{unknown}",
            list_of(blockers.iter().map(describe))
        ),
    };
    let mut ends: Vec<String> = blockers.iter().filter_map(end).collect();
    ends.sort();
    ends.dedup();
    let cure = if blockers.is_empty() {
        format!("{again} --wait 30; or, from the next boot on: {persist}")
    } else if ends.is_empty() || ends.len() > MAX_LISTED {
        persist
    } else {
        format!(
            "{}; {again}; or, from the next boot on: {persist}",
            ends.join("; ")
        )
    };
    (Some(cause), Some(cure))
}

/// The command that ends a namespace.
pub(in crate::view) fn end(namespace: &Namespace) -> Option<String> {
    let keeper = namespace
        .processes
        .first()
        .or_else(|| namespace.holders.first().map(|holder| &holder.process));
    let by_process = keeper.map(end_process);
    let Some(path) = namespace.paths.first() else {
        return by_process;
    };
    let path = path.to_string_lossy();
    let unname = match path.strip_prefix("/run/netns/") {
        Some(name) => format!("ip netns del {}", quoted(name)),
        None => format!("umount {}", quoted(&path)),
    };
    // The runtime of a container takes its names away itself.
    let contained = keeper
        .and_then(|process| process.owner.as_ref())
        .is_some_and(|owner| owner.container.is_some());
    match by_process {
        Some(command) if contained => Some(command),
        Some(command) => Some(format!("{command}; {unname}")),
        None => Some(unname),
    }
}

/// The command that ends a process, and what it belongs to.
pub(super) fn end_process(process: &Process) -> String {
    let owner = process.owner.as_ref();
    owner
        .and_then(end_owner)
        .unwrap_or_else(|| format!("kill {}", process.pid))
}

fn end_owner(owner: &Owner) -> Option<String> {
    if let Some(container) = &owner.container {
        let id = quoted(short(&container.id));
        return match (container.runtime, &owner.pod) {
            (Runtime::Docker, None) => Some(format!("docker stop {id}")),
            (Runtime::Podman, None) => Some(format!("podman stop {id}")),
            (Runtime::Containerd, None) => Some(format!("nerdctl stop {id}")),
            (Runtime::Lxc, _) => Some(format!("lxc-stop {id}")),
            (Runtime::Nspawn, _) => Some(format!("machinectl terminate {id}")),
            (_, Some(_)) => Some(format!("crictl stop {id}")),
            (Runtime::CriO | Runtime::Unknown, None) => None,
        };
    }
    let unit = owner.unit.as_ref()?;
    // Stopping these would end a login, or the user's whole manager.
    let too_much = unit.name.starts_with("session-")
        || unit.name.starts_with("user@")
        || unit.name == "init.scope";
    let name = quoted(&unit.name);
    (!too_much).then(|| match unit.user {
        Some(uid) => format!("systemctl --user --machine={uid}@ stop {name}"),
        None => format!("systemctl stop {name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Refusal;
    use crate::types::NetnsMode;
    use crate::view::namespace::tests::namespace;
    use nix::errno::Errno;

    fn told(blockers: &[Namespace], hidden: usize) -> (String, String) {
        let error = RdmaError::NamespacesExist {
            wanted: NetnsMode::Exclusive,
            refusal: Refusal {
                errno: Errno::EBUSY,
                message: None,
            },
        };
        let (cause, cure) = advice(&error, blockers, hidden);
        (cause.unwrap(), cure.unwrap())
    }

    #[test]
    fn each_is_named_with_its_end() {
        let polkit = (812, "polkitd", "0::/system.slice/polkit.service");
        for (namespace, words, command) in [
            (
                namespace(Some("/run/netns/pod1"), &[]),
                "pod1 (/run/netns/pod1, no process)",
                "ip netns del pod1",
            ),
            (
                namespace(Some("/run/netns/a b"), &[(5, "sh", "0::/")]),
                "a b (/run/netns/a b, pid 5 sh)",
                "kill 5; ip netns del 'a b'",
            ),
            (
                namespace(Some("/var/lib/x"), &[]),
                "/var/lib/x (no process)",
                "umount /var/lib/x",
            ),
            (
                namespace(None, &[polkit]),
                "net:[4026532281] (pid 812 polkitd of polkit.service)",
                "systemctl stop polkit.service",
            ),
            (
                namespace(
                    Some("/run/docker/netns/1f"),
                    &[(9, "nginx", "0::/system.slice/docker-ID.scope")],
                ),
                "/run/docker/netns/1f (pid 9 nginx of Docker container 7be92808767a)",
                "docker stop 7be92808767a",
            ),
            (
                namespace(
                    None,
                    &[(9, "zsh", "0::/user.slice/user-1000.slice/session-3.scope")],
                ),
                "net:[4026532281] (pid 9 zsh of session-3.scope)",
                "kill 9",
            ),
            (
                namespace(
                    None,
                    &[(
                        9,
                        "x",
                        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/a\\x2db.scope",
                    )],
                ),
                "net:[4026532281] (pid 9 x of a\\x2db.scope of user 1000)",
                "systemctl --user --machine=1000@ stop 'a\\x2db.scope'",
            ),
        ] {
            assert_eq!(describe(&namespace), words);
            assert_eq!(end(&namespace).unwrap(), command);
        }
    }

    #[test]
    fn pods_are_named() {
        let pod = "0::/kubepods.slice/kubepods-pod4f5ad9ce_6b63_4d5d_8f0e_5d8a4f5a3b1c.slice/cri-containerd-ID.scope";
        let namespace = namespace(
            Some("/run/netns/cni-1"),
            &[
                (1, "pause", pod),
                (2, "a", pod),
                (3, "b", pod),
                (4, "c", pod),
            ],
        );
        let text = describe(&namespace);
        assert!(
            text.contains("pid 1 pause of containerd container 7be92808767a of pod 4f5ad9ce-6b63-4d5d-8f0e-5d8a4f5a3b1c"),
            "{text}"
        );
        assert!(text.ends_with("1 more process)"), "{text}");
        assert_eq!(end(&namespace).unwrap(), "crictl stop 7be92808767a");
    }

    #[test]
    fn one_some_many_none() {
        let named = |n: usize| namespace(Some(&format!("/run/netns/n{n:02}")), &[]);
        let (cause, cure) = told(&[named(1)], 0);
        assert_eq!(
            cause,
            "another network namespace exists: n01 (/run/netns/n01, no process)"
        );
        assert_eq!(
            cure,
            "ip netns del n01; rdmactl system set netns exclusive; or, from the next boot on: rdmactl system set netns exclusive --persist, then reboot"
        );
        let all: Vec<Namespace> = (0..23).map(named).collect();
        let (cause, cure) = told(&all, 0);
        assert!(
            cause.starts_with("23 other network namespaces exist: n00"),
            "{cause}"
        );
        assert!(
            cause.ends_with("n09 (/run/netns/n09, no process); and 13 more"),
            "{cause}"
        );
        assert_eq!(
            cure,
            "rdmactl system set netns exclusive --persist, then reboot"
        );
        let (cause, cure) = told(&[], 4);
        assert!(
            cause.ends_with("; 4 processes of other users cannot be looked at"),
            "{cause}"
        );
        assert!(
            cure.starts_with("rdmactl system set netns exclusive --wait 30; "),
            "{cure}"
        );
    }
}

//! `Owner`: who answers for a process, read from its control groups.

use super::procfs::printable;

/// The unit, container and pod that a process belongs to, as far as its control groups tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// The innermost systemd service or scope.
    pub unit: Option<Unit>,
    /// The innermost container.
    pub container: Option<Container>,
    /// The uid of the Kubernetes pod.
    pub pod: Option<String>,
}

/// A unit of systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The name, as systemctl takes it.
    pub name: String,
    /// The user whose own manager runs it; `None` for the system's.
    pub user: Option<u32>,
}

/// A container and what runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// What runs it.
    pub runtime: Runtime,
    /// Its id, or its name where the runtime has names only.
    pub id: String,
}

/// What runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// Docker.
    Docker,
    /// containerd, by way of the Kubernetes CRI or nerdctl.
    Containerd,
    /// CRI-O.
    CriO,
    /// Podman (libpod).
    Podman,
    /// LXC, LXD or Incus.
    Lxc,
    /// systemd-nspawn.
    Nspawn,
    /// The name of the control group does not say.
    Unknown,
}

impl Owner {
    /// Reads `/proc/PID/cgroup`, of either version; `None` when it names nobody.
    pub fn read(cgroup: &str) -> Option<Self> {
        let mut owner = Self::default();
        for line in cgroup.lines() {
            // hierarchy:controllers:path; the path may itself hold colons.
            let mut fields = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            // Only systemd's own hierarchy, and the one of version 2, follow its units.
            let units = controllers.is_empty() || controllers == "name=systemd";
            owner.add(path, units);
        }
        (owner != Self::default()).then_some(owner)
    }

    fn add(&mut self, path: &str, units: bool) {
        let mut user = None;
        let (mut unit, mut container) = (None, None);
        let segments: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        for (place, name) in segments.iter().enumerate() {
            if let Some(found) = pod_uid(name) {
                self.pod.get_or_insert(found);
            }
            let above = place.checked_sub(1).map_or("", |place| segments[place]);
            if let Some(found) = container_of(name, above) {
                container = Some(found);
            }
            if let Some(uid) = user_manager(name) {
                user = Some(uid);
            }
            if is_unit(name) {
                let user = user.filter(|_| user_manager(name).is_none());
                let name = printable(name);
                unit = Some(Unit { name, user });
            }
        }
        if let Some(found) = container {
            self.container.get_or_insert(found);
        }
        if let (true, Some(found)) = (units, unit) {
            self.unit.get_or_insert(found);
        }
    }
}

fn is_unit(name: &str) -> bool {
    [".service", ".scope", ".socket", ".mount"]
        .iter()
        .any(|kind| name.strip_suffix(kind).is_some_and(|stem| !stem.is_empty()))
}

/// `user@1000.service` is the manager of a user; units below it are that user's.
fn user_manager(name: &str) -> Option<u32> {
    let uid = name.strip_prefix("user@")?.strip_suffix(".service")?;
    uid.parse().ok()
}

/// The prefixes that runtimes put before the id; the suffix `.scope` comes with systemd's driver.
const PREFIXES: [(&str, Runtime); 6] = [
    ("docker-", Runtime::Docker),
    ("cri-containerd-", Runtime::Containerd),
    ("nerdctl-", Runtime::Containerd),
    ("crio-", Runtime::CriO),
    ("libpod-", Runtime::Podman),
    ("libpod-payload-", Runtime::Podman),
];

fn container_of(name: &str, above: &str) -> Option<Container> {
    let found = |runtime, id: &str| {
        Some(Container {
            runtime,
            id: printable(id),
        })
    };
    // containerd without systemd's driver where the kubelet has it: `SLICE:cri-containerd:ID`.
    if let Some((_, id)) = name.split_once(":cri-containerd:") {
        return is_id(id).then(|| found(Runtime::Containerd, id)).flatten();
    }
    let stem = name.strip_suffix(".scope").unwrap_or(name);
    for (prefix, runtime) in PREFIXES {
        if let Some(id) = stem.strip_prefix(prefix).filter(|id| is_id(id)) {
            return found(runtime, id);
        }
    }
    if is_id(name) {
        let runtime = if above == "docker" {
            Runtime::Docker
        } else {
            Runtime::Unknown
        };
        return found(runtime, name);
    }
    let named = |rest: &str| (!rest.is_empty()).then(|| rest.to_owned());
    if let Some(id) = name.strip_prefix("lxc.payload.").and_then(named) {
        return found(Runtime::Lxc, &id);
    }
    if above == "lxc" {
        return found(Runtime::Lxc, name);
    }
    let machine = name
        .strip_prefix("systemd-nspawn@")
        .and_then(|rest| rest.strip_suffix(".service"))
        .and_then(named);
    machine.and_then(|id| found(Runtime::Nspawn, &id))
}

/// Docker, containerd, CRI-O and libpod all use 64 hexadecimal digits.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `podUID` or `kubepods-burstable-podUID.slice`, where systemd's driver writes `_` for `-`.
/// A static pod has 32 digits without dashes.
fn pod_uid(name: &str) -> Option<String> {
    name.match_indices("pod").find_map(|(at, _)| {
        let rest = &name[at + 3..];
        let end = rest.find(['.', ':']).unwrap_or(rest.len());
        let uid = rest[..end].replace('_', "-");
        let groups: Vec<usize> = uid.split('-').map(str::len).collect();
        let sound = uid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
            && (groups == [8, 4, 4, 4, 12] || groups == [32]);
        sound.then_some(uid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";
    const POD: &str = "4f5ad9ce-6b63-4d5d-8f0e-5d8a4f5a3b1c";

    fn told(text: &str) -> String {
        let text = text
            .replace("ID", ID)
            .replace("POD_", &POD.replace('-', "_"))
            .replace("POD", POD);
        let Some(owner) = Owner::read(&text) else {
            return "nobody".to_owned();
        };
        let mut words = Vec::new();
        if let Some(unit) = owner.unit {
            words.push(unit.name.replace(ID, "ID"));
            words.extend(unit.user.map(|uid| format!("user {uid}")));
        }
        if let Some(container) = owner.container {
            let id = container.id.replace(ID, "ID");
            words.push(format!("{:?} {id}", container.runtime));
        }
        if let Some(pod) = owner.pod {
            words.push(pod.replace(POD, "POD"));
        }
        words.join(", ")
    }

    #[test]
    fn as_found_in_the_world() {
        for (cgroup, expected) in [
            // systemd alone
            ("0::/system.slice/polkit.service\n", "polkit.service"),
            ("0::/init.scope\n", "init.scope"),
            (
                "0::/user.slice/user-1000.slice/session-3.scope",
                "session-3.scope",
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-12.scope",
                "app-firefox-12.scope, user 1000",
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service",
                "user@1000.service",
            ),
            (
                "0::/system.slice/system-getty.slice/getty@tty1.service",
                "getty@tty1.service",
            ),
            // Docker: version 2 with systemd, version 1 without
            (
                "0::/system.slice/docker-ID.scope",
                "docker-ID.scope, Docker ID",
            ),
            (
                "12:pids:/docker/ID\n1:name=systemd:/docker/ID\n0::/system.slice/containerd.service\n",
                "containerd.service, Docker ID",
            ),
            // containerd under Kubernetes
            (
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD_.slice/cri-containerd-ID.scope",
                "cri-containerd-ID.scope, Containerd ID, POD",
            ),
            (
                "11:memory:/kubepods/besteffort/podPOD/ID\n1:name=systemd:/kubepods/besteffort/podPOD/ID\n",
                "Unknown ID, POD",
            ),
            (
                "0::/system.slice/containerd.service/kubepods-besteffort-podPOD_.slice:cri-containerd:ID",
                "containerd.service, Containerd ID, POD",
            ),
            (
                "0::/kubepods.slice/kubepods-pod0123456789abcdef0123456789abcdef.slice/cri-containerd-ID.scope",
                "cri-containerd-ID.scope, Containerd ID, 0123456789abcdef0123456789abcdef",
            ),
            // CRI-O, with the inner group that crun makes
            (
                "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podPOD_.slice/crio-ID.scope/container",
                "crio-ID.scope, CriO ID, POD",
            ),
            // Podman, of root and of a user
            (
                "0::/machine.slice/libpod-ID.scope/container",
                "libpod-ID.scope, Podman ID",
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
                "libpod-ID.scope, user 1000, Podman ID",
            ),
            // its monitor is no container
            (
                "0::/machine.slice/libpod-conmon-ID.scope",
                "libpod-conmon-ID.scope",
            ),
            // kind: a node in Docker, a pod in the node
            (
                "0::/system.slice/docker-ID.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podPOD_.slice/cri-containerd-ID.scope",
                "cri-containerd-ID.scope, Containerd ID, POD",
            ),
            ("0::/lxc.payload.web1/init.scope", "init.scope, Lxc web1"),
            ("4:devices:/lxc/web1", "Lxc web1"),
            (
                "0::/machine.slice/systemd-nspawn@box.service/payload",
                "systemd-nspawn@box.service, Nspawn box",
            ),
            // nobody
            ("0::/\n", "nobody"),
            ("", "nobody"),
            ("garbage", "nobody"),
            ("0::/../../user.slice", "nobody"),
            ("0::/podium/pod/.service", "nobody"),
            ("0::/a\x1b[31m.service", "a?[31m.service"),
        ] {
            assert_eq!(told(cgroup), expected, "{cgroup}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([0-9]{1,2}:[a-z=]{0,5}:)?(/?(docker|lxc|pod|libpod-|[.:_é-]|[a-f0-9]{0,64}|\\.scope|user@|\\.service)){0,12}\n?") {
            Owner::read(&text);
        }

        #[test]
        fn no_bytes_panic(text in any::<String>()) {
            Owner::read(&text);
        }
    }
}

//! Why a container did not get its devices, where neither kernel nor namespace says it.

use super::Explanation;
use crate::kernel::LockError;
use crate::oci::{HookError, StateError};
use crate::pci::device::Presence;
use crate::rdma::lease::LeaseError;
use crate::types::NetnsMode;

/// Explains an error of the hook or of the devices that are offered.
pub fn hook(error: &HookError) -> Explanation {
    let (cause, cure) = match error {
        HookError::State(error) => state(error),
        HookError::Lease(LeaseError::AlreadyLent { attachment, .. }) => (
            "a container of this id had it in another namespace, and its poststop hook has not run".to_owned(),
            format!(r#"echo '{{"id":"{}"}}' | rdmactl oci-hook poststop"#, attachment.container),
        ),
        HookError::Lease(LeaseError::NotRolledBack { .. }) | HookError::NotUndone { .. } => (
            "the record was kept".to_owned(),
            "rdmactl cni gc, when the container is gone".to_owned(),
        ),
        HookError::Lock(LockError::File(error)) | HookError::File(error) => {
            return super::lease::file(error);
        }
        HookError::Lease(error) => return super::lease(error),
        HookError::NotExclusive(mode) => (
            match mode {
                Some(NetnsMode::Shared) => {
                    "in shared mode every container sees every RDMA device, and none can be moved"
                }
                _ => "this kernel does not say its mode",
            }
            .to_owned(),
            "rdmactl system set netns exclusive --persist, while no container runs".to_owned(),
        ),
        HookError::NoPid | HookError::NoProcess(_) => (
            "a runtime calls createRuntime while the container's first process waits, and tells its number in the caller's PID namespace".to_owned(),
            "rdmactl oci-hook poststop, if the container has ended".to_owned(),
        ),
        HookError::HostNetwork(_) => (
            "a container in the host's network sees the host's RDMA devices, and none can be its own".to_owned(),
            "start it with a network of its own, such as --network bridge or --network none, or without the device".to_owned(),
        ),
        HookError::NoDevice(_) => (
            "devices are named by RDMA device, PCI address or auxiliary device, as they are at home".to_owned(),
            "rdmactl topology".to_owned(),
        ),
        HookError::Software(_) => (
            "only what sits on a PCI function or an auxiliary device can be told from others, and be brought home for sure".to_owned(),
            "rdmactl dev set DEV netns PID moves it without a record".to_owned(),
        ),
        HookError::Busy { id, owner, place } => busy(&id.to_string(), owner.as_ref(), place.as_deref()),
        HookError::NotThere { id, presence } => not_there(&id.to_string(), presence),
        HookError::Nodes { .. } => (
            "the kernel gave out the numbers anew, and what the container has would be another device's".to_owned(),
            "rdmactl cdi generate, then start the container again".to_owned(),
        ),
        HookError::Program(_) => (
            "the document says which program the hooks call".to_owned(),
            "name it: rdmactl cdi generate --program /usr/sbin/rdmactl".to_owned(),
        ),
        HookError::Lock(LockError::Busy { .. }) => (
            "a hook, a CNI plugin or a reclaim works on the device".to_owned(),
            "start the container again when it has ended".to_owned(),
        ),
        HookError::Rdma(_) | HookError::Netns(_) | HookError::Sysfs(_) => {
            return Explanation::of(format!("error: {error}"));
        }
    };
    Explanation {
        headline: format!("error: {error}"),
        cause: Some(cause),
        cure: Some(cure),
    }
}

fn state(error: &StateError) -> (String, String) {
    let (cause, cure) = match error {
        StateError::Annotation(_) | StateError::Invalid(crate::oci::state::DEVICES, _) => (
            "a container names its devices so: rdmactl.io/devices=mlx5_2,0000:01:10.2",
            "podman run --annotation rdmactl.io/devices=mlx5_2 ...",
        ),
        _ => (
            "runtimes write the state of the container to the hook's standard input, one JSON object",
            "man rdmactl-oci-hook shows how a runtime is told to call it",
        ),
    };
    (cause.to_owned(), cure.to_owned())
}

fn busy(
    id: &str,
    owner: Option<&(Option<String>, String)>,
    place: Option<&str>,
) -> (String, String) {
    let place = place.map(|path| format!(", in network namespace {path}"));
    let place = place.unwrap_or_default();
    match owner {
        Some((Some(container), record)) => (
            format!("container {container} has it{place} (record {record})"),
            format!(
                "end container {container}, or take another device; rdmactl cni list shows who has which"
            ),
        ),
        Some((None, record)) => (
            format!("record {record} has it{place}"),
            "rdmactl cni list shows who has which".to_owned(),
        ),
        None => (
            format!("nobody has it on record{place}"),
            format!("rdmactl dev reclaim, or rdmactl topology {id} to see who uses it"),
        ),
    }
}

fn not_there(id: &str, presence: &Presence) -> (String, String) {
    match presence {
        Presence::Absent => (
            format!("there is no device {id} in /sys/bus/{{pci,auxiliary}}/devices"),
            "rdmactl topology".to_owned(),
        ),
        Presence::Unbound => (
            format!("no driver is bound to {id}"),
            format!("rdmactl vf bind {id}"),
        ),
        Presence::Bound(driver) => (
            format!("its driver is {driver}"),
            "rdmactl dev reclaim, if an ending namespace has it; rdmactl topology".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_it_and_what_to_do() {
        let error = HookError::Busy {
            id: "0000:01:10.2".parse().unwrap(),
            owner: Some((Some("web".to_owned()), "/var/lib/cni/rdma/x".to_owned())),
            place: Some("/proc/7/ns/net".to_owned()),
        };
        assert_eq!(
            hook(&error).to_string(),
            "error: the RDMA device of 0000:01:10.2 is not at home\n\
             cause: container web has it, in network namespace /proc/7/ns/net (record /var/lib/cni/rdma/x)\n  \
             fix: end container web, or take another device; rdmactl cni list shows who has which\n"
        );
        let shared = hook(&HookError::NotExclusive(Some(NetnsMode::Shared))).to_string();
        assert!(shared.starts_with("error: the RDMA subsystem is in shared mode\n"));
        assert!(shared.contains("set netns exclusive"), "{shared}");
    }
}

//! Leases of the OCI hook: how their records are told apart, and when their containers have ended.

use super::record::{Attachment, Lodging};
use crate::kernel::namespaces::sees_all;
use crate::kernel::{Host, Namespace, Survey};
use crate::rdma::device;
use crate::types::{ContainerId, DeviceId};

/// What stands in a record in the place of a network; none of CNI may be called so (its names have
/// no colon), and so no plugin takes these records for its own.
pub const NETWORK: &str = "oci:hook";

/// Whose a device is that the hook lends: a container has one attachment a device.
pub fn attachment(container: &ContainerId, id: &DeviceId) -> Attachment {
    Attachment {
        network: NETWORK.to_owned(),
        container: container.to_string(),
        ifname: id.to_string(),
    }
}

/// Whether the hook made it.
pub fn is_of_hook(attachment: &Attachment) -> bool {
    attachment.network == NETWORK
}

/// What the name of a record of this container begins with, where its id is not too long.
pub fn prefix(container: &ContainerId) -> String {
    format!("{NETWORK}-{container}-")
}

/// Whether nobody is in a namespace any more: from the hook on until its end a container has a
/// process. Never said by who cannot see all processes.
pub fn is_over(host: &Host, survey: &Survey, namespace: &Namespace) -> bool {
    let is_thread = |link: &std::path::Path| link.ends_with("ns/net");
    let visited = namespace.holders.iter().any(|h| is_thread(&h.link));
    namespace.population == 0 && !visited && survey.hidden == 0 && sees_all(host)
}

/// Whether the device that was lent is in the caller's namespace. Numbers of namespaces are given
/// out again at once: that of a container which has ended may already be the next one's.
pub fn is_home(host: &Host, lodging: &Lodging) -> bool {
    let Ok(mut home) = host.rdma() else {
        return false;
    };
    let here = device::with_index(&mut home, lodging.index);
    here.is_ok_and(|device| device.is_some_and(|device| lodging.is_of(&device)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use crate::kernel::netns::NetnsId;

    #[test]
    fn over_is_what_nobody_is_in_as_far_as_all_can_be_seen() {
        let outermost = Machine::new().link("proc/self/ns/pid", "pid:[4026531836]");
        let in_a_pod = Machine::new().link("proc/self/ns/pid", "pid:[4026532200]");
        let namespace = |population| Namespace {
            id: NetnsId(7),
            paths: vec!["/run/netns/pod".into()],
            processes: Vec::new(),
            population,
            holders: Vec::new(),
            is_current: false,
            is_initial: false,
        };
        let over = |machine: &Machine, population, hidden| {
            let survey = Survey {
                hidden,
                ..Survey::default()
            };
            is_over(&machine.host(), &survey, &namespace(population))
        };
        assert!(over(&outermost, 0, 0));
        assert!(!over(&outermost, 1, 0));
        assert!(!over(&outermost, 0, 1));
        assert!(!over(&in_a_pod, 0, 0));
    }

    #[test]
    fn no_network_of_cni_is_called_so() {
        let id: DeviceId = "0000:01:10.2".parse().unwrap();
        let container: ContainerId = "web-1".parse().unwrap();
        let own = attachment(&container, &id);
        assert!(is_of_hook(&own));
        // `^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$` is the rule of CNI.
        assert!(own.network.contains(':'));
        let name = format!("{}{id}", prefix(&container));
        assert_eq!(name, "oci:hook-web-1-0000:01:10.2");
    }
}

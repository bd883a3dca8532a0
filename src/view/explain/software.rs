//! Why a software device cannot be added to an interface.

use super::Advice;
use crate::kernel::Namespace;
use crate::view::namespace::{describe, inside, list_of, quoted};

/// The type of `link add` that the kernel does not know.
pub(super) fn link_type(kind: &str, offered: &[String]) -> Advice {
    let known = offered.iter().any(|each| each == kind);
    let cause = match (known, offered.is_empty()) {
        (true, _) => format!("the type {kind} is installed, but its module cannot be loaded"),
        (false, true) => format!("the running kernel knows no link type {kind}"),
        (false, false) => format!(
            "the running kernel knows no link type {kind}; its modules offer {}",
            offered.join(", ")
        ),
    };
    let module = if kind == "rxe" { "rdma_rxe" } else { kind };
    // Where the lists of modules cannot be read, it may be there all the same.
    let cure = known || offered.is_empty() && matches!(kind, "rxe" | "siw");
    (Some(cause), cure.then(|| format!("modprobe {module}")))
}

/// Where the interface is that is not here.
pub(super) fn no_interface(netdev: &str, near: &[String], elsewhere: &[Namespace]) -> Advice {
    if let Some(first) = elsewhere.first() {
        let cause = format!(
            "the interface {netdev} lives in another network namespace: {}",
            list_of(elsewhere.iter().map(describe))
        );
        return (Some(cause), inside(first, "ip link show"));
    }
    let cause = if near.is_empty() {
        format!("no interface {netdev} in this network namespace")
    } else {
        format!(
            "no interface {netdev} in this network namespace; near to it: {}",
            near.join(", ")
        )
    };
    (Some(cause), Some("ip link show".to_owned()))
}

/// Which device sits on the interface.
pub(super) fn interface_taken(netdev: &str, device: Option<&str>) -> Advice {
    match device {
        Some(device) => (
            Some(format!("{netdev} has the software device {device} already")),
            Some(format!("rdmactl link delete {}", quoted(device))),
        ),
        None => (
            Some(format!("{netdev} has a software device already")),
            Some("rdmactl link show".to_owned()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::rdma::diagnosis::Diagnosis;
    use crate::view::explain::tests::{refused, said};
    use nix::errno::Errno;

    #[test]
    fn link_add_in_words() {
        let kind = |kind: &str| Diagnosis::LinkType {
            kind: kind.to_owned(),
            offered: vec!["rxe".to_owned()],
        };
        let [_, cause, cure] = said(&refused(Errno::EINVAL), &kind("siw"));
        assert!(cause.ends_with("its modules offer rxe"), "{cause}");
        assert_eq!(cure, "");
        let [_, cause, cure] = said(&refused(Errno::EINVAL), &kind("rxe"));
        assert!(cause.contains("cannot be loaded"), "{cause}");
        assert_eq!(cure, "modprobe rdma_rxe");
        let taken = Diagnosis::InterfaceTaken {
            netdev: "eth0".to_owned(),
            device: Some("rxe0".to_owned()),
        };
        let [_, cause, cure] = said(&refused(Errno::EEXIST), &taken);
        assert_eq!(cause, "eth0 has the software device rxe0 already");
        assert_eq!(cure, "rdmactl link delete rxe0");
        let gone = Diagnosis::NoInterface {
            netdev: "eht0".to_owned(),
            near: vec!["eth0".to_owned()],
            elsewhere: Vec::new(),
        };
        let [_, cause, _] = said(&refused(Errno::ENODEV), &gone);
        assert!(cause.ends_with("near to it: eth0"), "{cause}");
    }
}

//! What the caller may do and see, and what it could not see.

use super::facts::Gap;
use super::{Facts, Finding, Id};
use crate::kernel::Privilege;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    match Privilege::of_caller(facts.host) {
        None => facts.gap("/proc/self/status", "no capabilities can be read there"),
        Some(privilege) => found.extend(missing(privilege)),
    }
    found.extend(other_netns(facts));
    found
}

fn missing(privilege: Privilege) -> Option<Finding> {
    let lacks = match (privilege.net_admin, privilege.sys_admin) {
        (true, true) if privilege.initial_userns => return None,
        (true, true) => {
            return Some(
                Finding::new(Id::PrivilegeUserNamespace)
                    .saw("/proc/self/ns/user", "is not the first user namespace")
                    .advise("run rdmactl on the host, or in a container that shares the user namespace of the host"),
            );
        }
        (true, false) => "no CAP_SYS_ADMIN",
        (false, true) => "no CAP_NET_ADMIN",
        (false, false) => "neither CAP_NET_ADMIN nor CAP_SYS_ADMIN",
    };
    Some(
        Finding::new(Id::PrivilegeMissing)
            .saw("/proc/self/status", format!("CapEff has {lacks}"))
            .run("sudo rdmactl doctor"),
    )
}

fn other_netns(facts: &Facts<'_>) -> Option<Finding> {
    let all = &facts.survey().namespaces;
    // Where the first one cannot be told, neither can this.
    all.iter().find(|namespace| namespace.is_initial)?;
    let current = all.iter().find(|namespace| namespace.is_current)?;
    (!current.is_initial).then(|| {
        Finding::new(Id::PrivilegeOtherNetns)
            .saw_namespace(current)
            .run("rdmactl --netns /proc/1/ns/net doctor")
    })
}

/// Everything that could not be looked at, in one finding.
pub(super) fn unseen(facts: &Facts<'_>) -> Option<Finding> {
    let gaps = facts.gaps();
    let saw = |finding: Finding, gap: Gap| finding.saw(gap.place, gap.why);
    if gaps.is_empty() {
        return None;
    }
    let finding = gaps
        .into_iter()
        .fold(Finding::new(Id::PrivilegeUnseen), saw);
    let may_all = Privilege::of_caller(facts.host)
        .is_some_and(|privilege| privilege.suffices() && privilege.sys_admin);
    Some(match may_all {
        true => finding.advise("run it on the host itself, outside of any container; a security module may hide things even there"),
        false => finding.run("sudo rdmactl doctor"),
    })
}

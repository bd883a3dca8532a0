//! Others that are configured to make VFs on this host: two hands on one count undo each other.

use super::{Facts, Finding, Id};
use crate::sriov::managers::{Claim, Manager, claims};
use crate::types::shell::quoted;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let claims = claims(facts.host, &mut |error| facts.file(Err::<(), _>(error)));
    let of = |manager: Manager| claims.iter().filter(move |claim| claim.manager == manager);
    let mut found = Vec::new();
    found.extend(network_manager(of(Manager::NetworkManager)));
    found.extend(networkd(of(Manager::Networkd)));
    found.extend(netplan(of(Manager::Netplan)));
    found.extend(of(Manager::Operator).map(operator));
    found
}

/// The evidence, if there is any.
fn finding<'a>(id: Id, claims: impl Iterator<Item = &'a Claim>) -> Option<Finding> {
    let mut finding = Finding::new(id);
    for claim in claims {
        finding = finding.saw(claim.place(), claim.says.clone());
    }
    (!finding.evidence.is_empty()).then_some(finding)
}

fn network_manager<'a>(claims: impl Iterator<Item = &'a Claim>) -> Option<Finding> {
    let mut finding = Finding::new(Id::ManagersNetworkManager);
    for claim in claims {
        let remedy = match (&claim.id, claim.line) {
            (Some(id), _) => format!("nmcli connection modify {} remove sriov", quoted(id)),
            (None, line) => format!(
                "sed -i '{}d' {}",
                line.unwrap_or_default(),
                quoted(&claim.path)
            ),
        };
        finding = finding.saw(claim.place(), claim.says.clone()).run(remedy);
    }
    (!finding.evidence.is_empty()).then(|| {
        finding.advise("let one of the two make the VFs; to have it be rdmactl, take this out")
    })
}

fn networkd<'a>(claims: impl Iterator<Item = &'a Claim>) -> Option<Finding> {
    let found = finding(Id::ManagersNetworkd, claims)?;
    let advice = "let one of the two make the VFs; to have it be rdmactl, take these lines out";
    Some(found.advise(advice))
}

fn netplan<'a>(claims: impl Iterator<Item = &'a Claim>) -> Option<Finding> {
    let found = finding(Id::ManagersNetplan, claims)?;
    let advice =
        "let one of the two make the VFs; to have it be rdmactl, take these lines out, then";
    Some(found.advise(advice).run("netplan generate"))
}

fn operator(claim: &Claim) -> Finding {
    Finding::new(Id::ManagersOperator)
        .saw(claim.place(), claim.says.clone())
        .advise("leave VFs to the operator, or exclude this node from its policies (nodeSelector) and remove the folder")
}

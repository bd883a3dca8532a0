//! What stands between a host and its document, and what to do about it.

use std::io::ErrorKind;

use nix::errno::Errno;

use super::Explanation;
use super::vf_change::unreachable;
use super::{binding, usage, vf_change, vf_count};
use crate::kernel::LockError;
use crate::kernel::modules::Availability;
use crate::provision::apply::{ApplyError, Failed, StepError};
use crate::provision::document::{DocumentError, Fault};
use crate::provision::look::LookError;
use crate::provision::plan::{Block, Plan, Target};
use crate::provision::problem::{Problem, Trouble};
use crate::types::shell::quoted;
use crate::view::namespace::{describe, list_of};

/// Where documents are, and what they are called but for the end.
const FOLDER: &str = "/etc/rdmactl";
const STEM: &str = "/etc/rdmactl/provision";

/// A mistake in a document, with its place.
pub fn fault(fault: &Fault) -> Explanation {
    Explanation::of(format!("error: {fault}"))
}

/// There is no document.
pub fn document(error: &DocumentError) -> Explanation {
    let (cause, cure) = match error {
        DocumentError::File(file) => {
            let cure = match file.source.kind() {
                ErrorKind::IsADirectory => {
                    Some(format!("name a file; of folders, {STEM}.d alone is read",))
                }
                ErrorKind::PermissionDenied => Some("run the command as root".to_owned()),
                _ => None,
            };
            (Some(file.source.to_string()), cure)
        }
        DocumentError::Absent { path } => {
            let folder = path.parent().filter(|folder| folder.starts_with(FOLDER));
            let folder = folder.map(|folder| quoted(&folder.display().to_string()));
            let folder = folder.map(|folder| format!("mkdir -p {folder} && "));
            let path = quoted(&path.display().to_string());
            let begin = format!(
                "{}rdmactl provision export > {path}",
                folder.unwrap_or_default()
            );
            (
                None,
                Some(format!("{begin}    # begins with the host as it is")),
            )
        }
        DocumentError::Input(_) | DocumentError::Unfit { .. } | DocumentError::Faults(_) => {
            (None, None)
        }
    };
    Explanation {
        headline: format!("error: {error}"),
        cause,
        cure,
    }
}

/// The host cannot be looked at.
pub fn unseen(error: &LookError) -> Explanation {
    match error {
        LookError::Uplink(error) => unreachable(error),
        other => Explanation::of(format!("error: {other}")),
    }
}

/// A PF cannot become what is declared.
pub fn trouble(trouble: &Trouble) -> Explanation {
    let problem = &trouble.problem;
    let place = trouble.place.as_ref().map(|place| format!("{place}: "));
    let pf = trouble.pf.map(|pf| format!("{pf}: "));
    let headline = format!(
        "error: {}{}{problem}",
        place.unwrap_or_default(),
        pf.unwrap_or_default()
    );
    let (cause, cure) = advice(problem);
    Explanation {
        headline,
        cause: cause.map(str::to_owned),
        cure: cure.map(str::to_owned),
    }
}

fn advice(problem: &Problem) -> (Option<&'static str>, Option<&'static str>) {
    match problem {
        Problem::Absent => (
            None,
            Some(
                "rdmactl topology    # shows what there is; optional = true in the document lets it be missing",
            ),
        ),
        Problem::Several(_) => (
            None,
            Some("name one of them in the document: match = { pci = \"...\" }, or by its guid"),
        ),
        Problem::Twice { .. } => (None, Some("leave one of the two entries")),
        Problem::NoDriver => (
            Some("without its driver a PF makes no VFs and gives them nothing"),
            Some("rdmactl doctor --only modules --only vfs"),
        ),
        Problem::UnknownLayer => (
            Some("it has neither an RDMA device nor an interface that can be seen"),
            Some(
                "rdmactl topology    # shows where they are; link_type in the document says it too",
            ),
        ),
        Problem::WrongLayer { .. } => (
            Some("what a port speaks is a setting of the firmware, and counts after its reset"),
            None,
        ),
        Problem::TooFewOffered { .. } => (
            Some(
                "how many VFs a PF offers is a setting of its firmware, and counts after its reset",
            ),
            None,
        ),
        Problem::FirmwareUnknown(_) => (
            Some(
                "without devlink parameters of the driver, mstconfig or mlxconfig has to be installed",
            ),
            Some("install mstflint, or declare firmware = \"check\" and what the PF offers"),
        ),
        Problem::FirmwareFixed { .. } => (None, None),
        Problem::NotOurs { .. } => (
            Some("the document says that somebody else makes the VFs of this PF"),
            None,
        ),
        Problem::WrongEswitch { .. } => (
            Some("the document says that somebody else makes the VFs of this PF"),
            None,
        ),
        Problem::NoEswitch => (
            Some("InfiniBand ports have none, and some drivers have none at all"),
            Some("devlink dev eswitch show    # shows what there is; or leave eswitch out"),
        ),
        Problem::Room { .. } => (None, Some("add addresses, or use mode = \"pf-derived\"")),
        Problem::NoIdentity { .. } => (
            Some("its RDMA device or interface cannot be seen, or has none"),
            Some("declare the addresses: mode = \"range\" or \"list\""),
        ),
        Problem::BeyondScheme { .. } => (
            None,
            Some("declare the addresses: mode = \"range\" or \"list\""),
        ),
        Problem::Double { .. } => (
            Some("two with one address break the network for both"),
            None,
        ),
        Problem::NoUplink => (
            Some("the kernel takes what VFs are to have through an interface of their PF"),
            Some("rdmactl doctor --only vfs --only modules"),
        ),
        Problem::NoModule(_) => (
            None,
            Some("install it, or leave it out of modules in the document"),
        ),
        Problem::Unfit { .. } => (None, None),
    }
}

/// Nothing was done.
pub fn unapplied(error: &ApplyError, looks: &str) -> Explanation {
    let (cause, cure) = match error {
        ApplyError::Lock(LockError::Busy { .. }) => (
            Some("another apply or rollback is at work, and only one at a time changes the host"),
            Some(
                "run the command again when that one has ended; --lock-wait SECONDS waits longer"
                    .to_owned(),
            ),
        ),
        ApplyError::Unconfirmed(_) => (
            Some("on the command line it has to be said that they may"),
            Some(format!(
                "{looks}    # shows which; with --yes they are removed"
            )),
        ),
        ApplyError::Lock(LockError::File(_)) => (
            Some("only root may change the host"),
            Some("run the command as root".to_owned()),
        ),
        ApplyError::NotListed(_) => (
            Some("only PFs of the document are changed"),
            Some("rdmactl provision status    # shows those that it has".to_owned()),
        ),
        ApplyError::Look(_) => (None, None),
    };
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    Explanation {
        headline: format!("error: {error}{}", source.unwrap_or_default()),
        cause: cause.map(str::to_owned),
        cure,
    }
}

/// A step that failed.
pub fn failed(failed: &Failed) -> Explanation {
    let target = match failed.target {
        Target::Host => "host".to_owned(),
        Target::Pf(pf) => pf.to_string(),
        Target::Vf(pf, index) => format!("{pf}/{index}"),
    };
    let of = match &failed.error {
        StepError::Count(error) => vf_count::explain(error, None),
        StepError::Change(error) => vf_change::explain(error, &target),
        StepError::Binding(error) => binding::explain(error, Availability::Unknown),
        StepError::Vectors { source, .. } => vectors(&failed.error.to_string(), source.errno()),
        StepError::File(error) => Explanation::of(format!("{error}: {}", error.source)),
        other => Explanation::of(other.to_string()),
    };
    let headline = of.headline.trim_start_matches("error: ");
    Explanation {
        headline: format!("error: {target}: {headline}"),
        ..of
    }
}

/// A VF did not get its interrupt vectors.
fn vectors(headline: &str, errno: Option<Errno>) -> Explanation {
    let cause = match errno {
        Some(Errno::EOPNOTSUPP | Errno::ENOENT) => {
            Some("the driver of the PF does not share out interrupt vectors")
        }
        Some(Errno::EBUSY) => Some("the VF got a driver meanwhile"),
        Some(Errno::EINVAL | Errno::ENOSPC | Errno::ENOMEM) => Some(
            "the card takes no such number, or has not so many left: sriov_vf_total_msix of the PF says how many there are",
        ),
        _ => None,
    };
    Explanation {
        headline: headline.to_owned(),
        cause: cause.map(str::to_owned),
        cure: None,
    }
}

/// Steps that are left.
pub fn left(plan: &Plan, looks: &str) -> Option<Explanation> {
    let count = match plan.steps.len() {
        0 => return None,
        1 => "1 step is left".to_owned(),
        count => format!("{count} steps are left"),
    };
    let blocked_by = |block| {
        let steps = plan.steps.iter();
        steps.filter(move |step| step.blocked == Some(block))
    };
    let mut users = Vec::new();
    for used in blocked_by(Block::InUse).flat_map(|step| &step.users) {
        if !users.contains(&used) {
            users.push(used);
        }
    }
    let mut causes = usage::lines(&users);
    if !plan.namespaces.is_empty() {
        causes.push(format!(
            "the namespace mode stays while other network namespaces exist: {}",
            list_of(plan.namespaces.iter().map(describe))
        ));
    }
    if causes.is_empty() && blocked_by(Block::Observed).next().is_some() {
        causes.push(
            "the document has PFs with ownership = \"observe\", which are not as declared, and stay as they are"
                .to_owned(),
        );
    }
    Some(Explanation {
        headline: count,
        cause: (!causes.is_empty()).then(|| causes.join(usage::INDENT)),
        cure: Some(format!("{looks}    # shows them, and what keeps them")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::plan::{Action, Class, Reason, Step};
    use crate::sriov::pf::Vf;
    use crate::sriov::usage::{How, Use};

    /// Whoever has a VF is told once, though several steps wait for him.
    #[test]
    fn who_keeps_the_steps_that_are_left() {
        let pf = "0000:01:00.0".parse().unwrap();
        let address = |index: u16| format!("0000:01:{:02x}.{}", 16 + index / 8, index % 8);
        let used = |index: u16| Use {
            vf: Vf {
                index,
                address: address(index).parse().unwrap(),
            },
            how: How::KernelVerbs {
                device: format!("mlx5_{index}"),
                module: "nvme_rdma".to_owned(),
            },
        };
        let step = |blocked, users| Step {
            target: Target::Pf(pf),
            action: Action::Remove { from: 3 },
            class: Class::DestroysVfs,
            reason: Reason::Declared,
            blocked: Some(blocked),
            users,
        };
        let told = |steps: Vec<Step>| left(&steps.into(), "look").unwrap();
        let says = |index| {
            format!(
                "VF {index} ({}): the kernel module nvme_rdma works with RDMA device mlx5_{index}",
                address(index)
            )
        };
        let in_use = step(Block::InUse, vec![used(1), used(2)]);
        let again = step(Block::InUse, vec![used(2)]);
        let explained = told(vec![in_use.clone(), again]);
        assert_eq!(explained.headline, "2 steps are left");
        let expected = [says(1), says(2)].join("\n       ");
        assert_eq!(explained.cause.as_deref(), Some(expected.as_str()));
        // It is not the user who keeps what the document forbids.
        let forbidden = step(Block::Policy, vec![used(1)]);
        assert_eq!(told(vec![forbidden]).cause, None);
        let observed = step(Block::Observed, Vec::new());
        let cause = told(vec![observed]).cause.unwrap();
        assert!(cause.contains("observe"), "{cause}");
        let many = (0..16).map(used);
        let cause = told(vec![step(Block::InUse, many.collect())]).cause;
        assert!(cause.unwrap().ends_with("and 6 more"));
    }
}

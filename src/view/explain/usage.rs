//! Who uses VFs, a line each, and that nothing was taken from them.

use std::borrow::Borrow;

use super::Explanation;
use crate::sriov::usage::{How, Usage, UsageError, Use};
use crate::types::PciAddr;
use crate::view::namespace::{MAX_LISTED, describe, hidden_processes, process};

/// Under the first line of a cause.
pub(super) const INDENT: &str = "\n       ";

/// What was to happen to VFs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All VFs of the PF would be removed, so many.
    Removed(usize),
    /// One VF would lose its driver.
    Unbound,
}

/// VFs are in use.
pub fn in_use(pf: PciAddr, usage: &Usage, loss: Loss) -> Explanation {
    let used = usage.vfs();
    let headline = match (loss, usage.uses.first()) {
        (Loss::Unbound, Some(first)) => {
            format!(
                "VF {} of {pf} is in use, nothing was changed",
                first.vf.index
            )
        }
        (Loss::Removed(1), _) => format!("the VF of {pf} is in use, nothing was changed"),
        (Loss::Removed(all), _) if used == 1 => {
            format!("1 of the {all} VFs of {pf} is in use, nothing was changed")
        }
        (Loss::Removed(all), _) => {
            format!("{used} of the {all} VFs of {pf} are in use, nothing was changed")
        }
        (Loss::Unbound, None) => format!("a VF of {pf} is in use, nothing was changed"),
    };
    let mut lines = lines(&usage.uses);
    lines.extend(hidden(usage));
    let what = match loss {
        Loss::Removed(_) => "removes all VFs",
        Loss::Unbound => "takes it from its users",
    };
    Explanation {
        headline,
        cause: Some(lines.join(INDENT)),
        cure: Some(format!(
            "end these uses, then run the command again; with --force it {what} all the same"
        )),
    }
}

/// It cannot be said whether somebody uses them.
pub fn unknown(error: &UsageError) -> Explanation {
    Explanation {
        headline: format!("cannot find out who uses the VFs: {error}"),
        cause: None,
        cure: Some("with --force the command does not ask".to_owned()),
    }
}

/// What could not be looked at: there may be more users.
pub fn hidden(usage: &Usage) -> Option<String> {
    let hidden = usage.hidden;
    (hidden > 0).then(|| format!("{}; what they use is not known", hidden_processes(hidden)))
}

/// A line each, and one for those that nobody wants to read.
pub(super) fn lines(uses: &[impl Borrow<Use>]) -> Vec<String> {
    let listed = uses.iter().take(MAX_LISTED);
    let mut lines: Vec<String> = listed.map(|used| line(used.borrow())).collect();
    let more = uses.len().saturating_sub(MAX_LISTED);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// One use: `VF 3 (0000:01:10.6): pid 812 qemu has /dev/vfio/12 open`.
pub fn line(used: &Use) -> String {
    let vf = used.vf;
    format!("VF {} ({}): {}", vf.index, vf.address, how(&used.how))
}

fn how(how: &How) -> String {
    let text = match how {
        How::Guest { file, process: who } => format!("{} has {file} open", process(who)),
        How::RdmaAway { device, namespace } => format!(
            "RDMA device {device} is in network namespace {}",
            describe(namespace)
        ),
        How::NetdevAway { netdev, namespace } => format!(
            "interface {netdev} is in network namespace {}",
            describe(namespace)
        ),
        How::Unseen {
            driver,
            rdma,
            netdev,
        } => {
            let what = match (rdma, netdev) {
                (true, true) => "RDMA device and interface are",
                (true, false) => "RDMA device is",
                (false, _) => "interface is",
            };
            format!("{driver} has it, and its {what} in no network namespace that can be found")
        }
        How::Verbs {
            device,
            process: who,
            contexts,
            queue_pairs,
        } => {
            let who = who
                .as_ref()
                .map_or_else(|| "a process of another PID namespace".to_owned(), process);
            let mut objects = vec![many(*contexts, "context")];
            if *queue_pairs > 0 {
                objects.push(many(*queue_pairs, "queue pair"));
            }
            format!(
                "{who} has {} on RDMA device {device}",
                objects.join(" and ")
            )
        }
        How::KernelVerbs { device, module } => {
            format!("the kernel module {module} works with RDMA device {device}")
        }
        How::Addresses { netdev, addresses } => {
            let words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("interface {netdev} is up and has {}", words.join(", "))
        }
        How::Member { netdev, master } => format!("interface {netdev} belongs to {master}"),
        How::Carries { netdev, upper } => {
            format!("interface {upper} sits on its interface {netdev}")
        }
        How::Record { path, container } => {
            let whose = container
                .as_ref()
                .map_or_else(String::new, |id| format!(" of container {id}"));
            format!("it is lent, says the CNI record{whose} {}", path.display())
        }
        How::Allocated { pod, container } => {
            format!("the kubelet has given it to container {container} of pod {pod}")
        }
    };
    // Names in records and of devices come from anywhere, and this goes to a terminal.
    text.replace(char::is_control, "?")
}

fn many(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::namespace::Process;
    use crate::sriov::pf::Vf;
    use crate::view::namespace::tests::namespace;

    fn used(index: u16, how: How) -> Use {
        let address = format!("0000:01:10.{index}").parse().unwrap();
        Use {
            vf: Vf { index, address },
            how,
        }
    }

    fn qemu() -> Process {
        Process {
            pid: 812,
            comm: "qemu".to_owned(),
            owner: None,
        }
    }

    #[test]
    fn every_way_in_words() {
        let blue = || namespace(Some("/run/netns/blue"), &[(812, "sleep", "0::/")]);
        let device = || "mlx5_5".to_owned();
        for (how, expected) in [
            (
                How::Guest {
                    file: "/dev/vfio/12".to_owned(),
                    process: qemu(),
                },
                "pid 812 qemu has /dev/vfio/12 open",
            ),
            (
                How::RdmaAway {
                    device: device(),
                    namespace: blue(),
                },
                "RDMA device mlx5_5 is in network namespace blue (/run/netns/blue, pid 812 sleep)",
            ),
            (
                How::NetdevAway {
                    netdev: "ib\u{1b}4".to_owned(),
                    namespace: blue(),
                },
                "interface ib?4 is in network namespace blue (/run/netns/blue, pid 812 sleep)",
            ),
            (
                How::Unseen {
                    driver: "mlx5_core".to_owned(),
                    rdma: true,
                    netdev: false,
                },
                "mlx5_core has it, and its RDMA device is in no network namespace that can be found",
            ),
            (
                How::Verbs {
                    device: device(),
                    process: Some(qemu()),
                    contexts: 1,
                    queue_pairs: 3,
                },
                "pid 812 qemu has 1 context and 3 queue pairs on RDMA device mlx5_5",
            ),
            (
                How::Verbs {
                    device: device(),
                    process: None,
                    contexts: 2,
                    queue_pairs: 0,
                },
                "a process of another PID namespace has 2 contexts on RDMA device mlx5_5",
            ),
            (
                How::KernelVerbs {
                    device: device(),
                    module: "nvme_rdma".to_owned(),
                },
                "the kernel module nvme_rdma works with RDMA device mlx5_5",
            ),
            (
                How::Addresses {
                    netdev: "ib4".to_owned(),
                    addresses: vec!["10.0.0.1/24".parse().unwrap()],
                },
                "interface ib4 is up and has 10.0.0.1/24",
            ),
            (
                How::Member {
                    netdev: "ib4".to_owned(),
                    master: "bond0".to_owned(),
                },
                "interface ib4 belongs to bond0",
            ),
            (
                How::Carries {
                    netdev: "ib4".to_owned(),
                    upper: "ib4.8001".to_owned(),
                },
                "interface ib4.8001 sits on its interface ib4",
            ),
            (
                How::Record {
                    path: "/var/lib/cni/rdma/n-c1-eth0".into(),
                    container: Some("c1".to_owned()),
                },
                "it is lent, says the CNI record of container c1 /var/lib/cni/rdma/n-c1-eth0",
            ),
            (
                How::Allocated {
                    pod: "u1".to_owned(),
                    container: "app".to_owned(),
                },
                "the kubelet has given it to container app of pod u1",
            ),
        ] {
            assert_eq!(
                line(&used(3, how)),
                format!("VF 3 (0000:01:10.3): {expected}")
            );
        }
    }

    #[test]
    fn a_list_has_an_end() {
        let pf = "0000:01:00.0".parse().unwrap();
        let guest = |index| {
            used(
                index,
                How::Guest {
                    file: "/dev/vfio/1".to_owned(),
                    process: qemu(),
                },
            )
        };
        let usage = |uses: Vec<Use>| Usage { uses, hidden: 2 };
        let many = usage([0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7].map(guest).to_vec());
        let told = in_use(pf, &many, Loss::Removed(9));
        assert_eq!(
            told.headline,
            "8 of the 9 VFs of 0000:01:00.0 are in use, nothing was changed"
        );
        let cause = told.cause.unwrap();
        assert_eq!(cause.lines().count(), MAX_LISTED + 2);
        assert!(cause.contains("and 2 more"), "{cause}");
        assert!(cause.contains("2 processes of other users"), "{cause}");
        let one = usage(vec![guest(4)]);
        let headline = |loss| in_use(pf, &one, loss).headline;
        assert!(headline(Loss::Removed(7)).starts_with("1 of the 7 VFs of 0000:01:00.0 is"));
        assert!(headline(Loss::Removed(1)).starts_with("the VF of 0000:01:00.0 is in use"));
        assert!(headline(Loss::Unbound).starts_with("VF 4 of 0000:01:00.0 is in use"));
    }
}

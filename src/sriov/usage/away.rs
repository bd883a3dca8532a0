//! VFs whose RDMA device or network interface is in another network namespace.

use std::collections::BTreeMap;

use super::{How, UsageError, Use};
use crate::kernel::namespaces::{Depth, survey};
use crate::kernel::netns::NetnsId;
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Host, Namespace, Survey, Sysfs};
use crate::pci::appearance::Equipment;
use crate::pci::function;
use crate::sriov::held::Held;
use crate::types::{DriverName, PciAddr};

/// What VFs are compared with.
pub(super) struct Whose {
    /// What the PF has itself.
    pub(super) pf: Equipment,
    /// An RDMA device is in one namespace, not in all.
    pub(super) exclusive: bool,
}

impl Whose {
    /// What a VF that has a driver lacks; drivers that hand VFs on make nothing of them.
    fn missing(&self, held: &Held) -> Equipment {
        let works = held.driver.as_ref().is_some_and(|driver| {
            let hands_on = |name: DriverName| name.takes_anything();
            !driver.parse().is_ok_and(hands_on)
        });
        Equipment {
            driver: false,
            rdma: works && self.exclusive && held.rdma.is_empty(),
            netdev: works && held.netdevs.is_empty(),
        }
    }

    /// What of that its PF has, so that it should be somewhere.
    fn expected(&self, held: &Held) -> Equipment {
        let missing = self.missing(held);
        Equipment {
            driver: false,
            rdma: missing.rdma && self.pf.rdma,
            netdev: missing.netdev && self.pf.netdev,
        }
    }
}

/// The uses. `survey` is the quick one; the open files of all processes are looked at for VFs
/// of which something is missing everywhere.
pub(super) fn look(
    host: &Host,
    whose: &Whose,
    held: &[Held],
    quick: Survey,
) -> Result<Vec<Use>, UsageError> {
    let mut wanted: BTreeMap<PciAddr, &Held> = BTreeMap::new();
    let incomplete = held.iter().filter(|each| !whose.missing(each).is_nothing());
    wanted.extend(incomplete.map(|each| (each.vf.address, each)));
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut looked = Vec::new();
    let mut uses = look_into(host, whose, &wanted, &quick, &mut looked);
    let unseen = |uses: &[Use]| -> Vec<&Held> {
        let seen = |held: &Held| uses.iter().any(|each| each.vf == held.vf);
        let all = wanted.values().copied();
        all.filter(|held| !whose.expected(held).is_nothing() && !seen(held))
            .collect()
    };
    if !unseen(&uses).is_empty() {
        let deep = survey(host, Depth::Files)?;
        uses.extend(look_into(host, whose, &wanted, &deep, &mut looked));
    }
    let lost: Vec<Use> = unseen(&uses)
        .into_iter()
        .filter_map(|held| {
            let driver = held.driver.clone()?;
            let Equipment { rdma, netdev, .. } = whose.expected(held);
            let how = How::Unseen {
                driver,
                rdma,
                netdev,
            };
            Some(Use { vf: held.vf, how })
        })
        .collect();
    uses.extend(lost);
    Ok(uses)
}

fn look_into(
    host: &Host,
    whose: &Whose,
    wanted: &BTreeMap<PciAddr, &Held>,
    survey: &Survey,
    looked: &mut Vec<NetnsId>,
) -> Vec<Use> {
    let mut uses = Vec::new();
    let others = survey
        .namespaces
        .iter()
        .filter(|each| !is_home(survey, each));
    for namespace in others {
        if looked.contains(&namespace.id) {
            continue;
        }
        looked.push(namespace.id);
        // One that ends meanwhile sends its devices home.
        let Ok(netns) = namespace.open(host) else {
            continue;
        };
        let Ok(Ok(inside)) = NetnsSysfs::of(&netns) else {
            continue;
        };
        uses.extend(look_at(inside.tree(), whose, wanted, namespace));
    }
    uses
}

/// Where devices are that nobody moved: the initial namespace, or the caller's where it is not
/// known.
fn is_home(survey: &Survey, namespace: &Namespace) -> bool {
    let known = survey.namespaces.iter().any(|each| each.is_initial);
    match known {
        true => namespace.is_initial,
        false => namespace.is_current,
    }
}

fn look_at(
    tree: &Sysfs,
    whose: &Whose,
    wanted: &BTreeMap<PciAddr, &Held>,
    namespace: &Namespace,
) -> Vec<Use> {
    let mut uses = Vec::new();
    let mut found = |class: &str, how: &dyn Fn(String) -> How| {
        for name in tree
            .list_if_there(format!("class/{class}"))
            .unwrap_or_default()
        {
            let function = function::of_member(tree, class, &name).ok().flatten();
            if let Some(held) = function.and_then(|address| wanted.get(&address)) {
                uses.push(Use {
                    vf: held.vf,
                    how: how(name),
                });
            }
        }
    };
    // In shared mode every device is in every namespace, and that says nothing.
    if whose.exclusive {
        found("infiniband", &|device| How::RdmaAway {
            device,
            namespace: namespace.clone(),
        });
    }
    found("net", &|netdev| How::NetdevAway {
        netdev,
        namespace: namespace.clone(),
    });
    uses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use crate::sriov::pf::Vf;

    fn held(address: &str, driver: Option<&str>, rdma: &[&str], netdevs: &[&str]) -> Held {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Held {
            vf: Vf {
                index: 3,
                address: address.parse().unwrap(),
            },
            driver: driver.map(str::to_owned),
            rdma: names(rdma),
            netdevs: netdevs.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    fn whose(exclusive: bool) -> Whose {
        Whose {
            pf: Equipment {
                driver: true,
                rdma: true,
                netdev: true,
            },
            exclusive,
        }
    }

    #[test]
    fn what_a_vf_lacks_may_be_elsewhere() {
        let vf = |driver, rdma: &[&str], netdevs: &[&str]| {
            let held = held("0000:01:10.0", driver, rdma, netdevs);
            let told = |exclusive| {
                let missing = whose(exclusive).missing(&held);
                assert_eq!(whose(exclusive).expected(&held), missing);
                (missing.rdma, missing.netdev)
            };
            (told(true), told(false))
        };
        let core = Some("mlx5_core");
        let no = (false, false);
        assert_eq!(vf(core, &["mlx5_1"], &["ib1"]), (no, no));
        assert_eq!(vf(core, &[], &["ib1"]), ((true, false), no));
        let netdev = (false, true);
        assert_eq!(vf(core, &["mlx5_1"], &[]), (netdev, netdev));
        assert_eq!(vf(core, &[], &[]), ((true, true), netdev));
        assert_eq!(vf(None, &[], &[]), (no, no));
        assert_eq!(vf(Some("vfio-pci"), &[], &[]), (no, no));
        assert_eq!(vf(Some("uio_pci_generic"), &[], &[]), (no, no));
        // A PF that has none either says nothing: it may be a disk.
        let plain = Whose {
            pf: Equipment::default(),
            exclusive: true,
        };
        let disk = held("0000:01:10.0", Some("nvme"), &[], &[]);
        assert!(plain.expected(&disk).is_nothing());
    }

    #[test]
    fn a_namespace_has_what_its_sysfs_shows() {
        let machine = Machine::new()
            .link("sys/class/infiniband/mlx5_1/device", "../../0000:01:10.0")
            .link("sys/class/net/eth7/device", "../../0000:01:10.0")
            .link("sys/class/net/eth8/device", "../../0000:01:10.7")
            .file("sys/class/net/lo/mtu", "");
        let host = machine.host();
        let vf = held("0000:01:10.0", Some("mlx5_core"), &[], &[]);
        let wanted = [(vf.vf.address, &vf)].into();
        let blue = Namespace {
            id: NetnsId(7),
            paths: vec!["/run/netns/blue".into()],
            processes: Vec::new(),
            population: 0,
            holders: Vec::new(),
            is_current: false,
            is_initial: false,
        };
        let found = |exclusive| look_at(host.sysfs(), &whose(exclusive), &wanted, &blue);
        let both = found(true);
        let [rdma, netdev] = &both[..] else {
            panic!("{both:?}")
        };
        assert!(matches!(&rdma.how, How::RdmaAway { device, .. } if device == "mlx5_1"));
        assert!(matches!(&netdev.how, How::NetdevAway { netdev, .. } if netdev == "eth7"));
        assert_eq!(found(false).len(), 1);
    }
}

//! Why a VF has not the driver it should have, or is not of use with it.

use nix::errno::Errno;

use super::{AS_ROOT, Advice, Explanation, vf_count};
use crate::kernel::modules::Availability;
use crate::pci::appearance::Equipment;
use crate::pci::driver_error::DriverError;
use crate::sriov::arrival::{Lack, Trouble};
use crate::sriov::binding::BindingError;
use crate::sriov::pf::Vf;
use crate::types::DriverName;
use crate::view::namespace::MAX_LISTED;

/// Explains it. `module` tells of the module of a driver that is not loaded.
pub fn explain(error: &BindingError, module: Availability) -> Explanation {
    let (cause, cure) = match error {
        BindingError::Stranger { .. } => (
            Some("the function changed meanwhile, and was not touched".to_owned()),
            Some("rdmactl vf show".to_owned()),
        ),
        BindingError::Lent { address, .. } => (
            Some("such a driver hands it to a guest or to a program".to_owned()),
            Some(format!("rdmactl vf rebind {address}")),
        ),
        BindingError::Driver(error) => driver(error, module),
        BindingError::Left {
            cause,
            before,
            back,
        } => {
            let (why, cure) = driver(cause, module);
            let now = match back {
                true => format!("it has its driver {before} again"),
                false => format!("it had {before}, and has no driver now"),
            };
            let why = why.map_or_else(|| now.clone(), |why| format!("{why}; {now}"));
            (Some(why), cure)
        }
        BindingError::Sysfs(_) => (None, None),
    };
    Explanation {
        headline: error.to_string(),
        cause,
        cure,
    }
}

fn driver(error: &DriverError, module: Availability) -> Advice {
    match error {
        DriverError::NoSuchDriver { driver } => {
            let name = driver.module();
            let cause = match module {
                Availability::Missing => format!("this kernel has no module {name}"),
                Availability::Installed => format!("the module {name} is installed and not loaded"),
                Availability::Present | Availability::Unknown => {
                    "the drivers that are there are below /sys/bus/pci/drivers".to_owned()
                }
            };
            let cure = (module != Availability::Missing).then(|| format!("modprobe {driver}"));
            (Some(cause), cure)
        }
        DriverError::Taken { address, .. } => (
            Some("a function has one driver at a time".to_owned()),
            Some(format!("rdmactl vf rebind {address} --driver NAME")),
        ),
        DriverError::NotForIt { address, driver } => (
            Some(format!(
                "{driver} does not know functions of this kind, or finds nothing it can use there"
            )),
            Some(format!("rdmactl vf bind {address}, for the driver that knows it")),
        ),
        DriverError::Failed {
            address,
            driver,
            errno: Some(Errno::EINVAL),
        } if driver.parse().is_ok_and(|name: DriverName| name.is_vfio()) => (
            Some("VFIO wants an IOMMU, and the kernel has put this function behind none".to_owned()),
            Some(format!(
                "switch the IOMMU on in the BIOS and boot with intel_iommu=on (or amd_iommu=on); rdmactl vf bind {address} --driver {driver}"
            )),
        ),
        DriverError::Failed { address, .. } => (
            Some("the driver says more in the kernel log".to_owned()),
            Some(format!("dmesg | grep {address}; rdmactl vf bind {address}")),
        ),
        DriverError::PutOff { address, .. } => (
            Some("the kernel tries again when another driver has started".to_owned()),
            Some(format!("rdmactl vf bind {address}")),
        ),
        DriverError::NoneTook { address } => (
            Some("no driver that is loaded knows functions of this kind, or the one that does failed to start".to_owned()),
            Some(format!(
                "load the driver of the VF (lspci -k -s {address} names modules), then rdmactl vf bind {address}"
            )),
        ),
        DriverError::NotPermitted(_) => (
            Some("only root may bind drivers, and not where /sys is read-only, as in containers".to_owned()),
            Some(AS_ROOT.to_owned()),
        ),
        DriverError::Write(error) => vf_count::bounded(error),
        DriverError::Gone { .. } | DriverError::Kept { .. } | DriverError::Sysfs(_) => (None, None),
    }
}

/// Explains what is the matter with VFs that were made or bound: each for itself, but together
/// those that no driver took.
pub fn troubles(troubles: &[Trouble], waited: u64) -> Vec<Explanation> {
    let untaken =
        |trouble: &&Trouble| matches!(trouble.lack, Lack::Driver(DriverError::NoneTook { .. }));
    let together: Vec<Vf> = troubles
        .iter()
        .filter(untaken)
        .map(|each| each.vf)
        .collect();
    let apart: Vec<&Trouble> = troubles.iter().filter(|each| !untaken(each)).collect();
    let mut told = Vec::new();
    if let [first, ..] = together[..] {
        let address = first.address;
        let (cause, cure) = driver(&DriverError::NoneTook { address }, Availability::Unknown);
        told.push(Explanation {
            headline: no_driver(&together),
            cause,
            cure,
        });
    }
    told.extend(apart.iter().take(MAX_LISTED).map(|each| one(each, waited)));
    let more = apart.len().saturating_sub(MAX_LISTED);
    if more > 0 {
        told.push(Explanation {
            headline: format!("{more} more VFs are not of use either"),
            cause: None,
            cure: Some("rdmactl vf show".to_owned()),
        });
    }
    told
}

fn no_driver(vfs: &[Vf]) -> String {
    match vfs {
        [one] => format!("VF {} ({}) has no driver", one.index, one.address),
        vfs => {
            let words: Vec<String> = vfs.iter().map(|vf| vf.index.to_string()).collect();
            format!("VFs {} have no driver", words.join(", "))
        }
    }
}

fn one(trouble: &Trouble, waited: u64) -> Explanation {
    let vf = trouble.vf;
    match &trouble.lack {
        Lack::Driver(error) => {
            let (cause, cure) = driver(error, Availability::Unknown);
            let cause = match cause {
                Some(cause) => format!("{error}; {cause}"),
                None => error.to_string(),
            };
            Explanation {
                headline: no_driver(&[vf]),
                cause: Some(cause),
                cure,
            }
        }
        Lack::Equipment(missing) => Explanation {
            headline: format!(
                "VF {} ({}) has no {} after {waited} s",
                vf.index,
                vf.address,
                words(*missing)
            ),
            cause: Some("its PF has one; what makes the VF's may not be loaded, or somebody may have moved it at once".to_owned()),
            cure: Some(format!("dmesg | grep {}; rdmactl vf rebind {}", vf.address, vf.address)),
        },
    }
}

fn words(missing: Equipment) -> &'static str {
    match (missing.driver, missing.rdma, missing.netdev) {
        (true, _, _) => "driver",
        (_, true, true) => "RDMA device and no network interface",
        (_, true, false) => "RDMA device",
        (_, false, _) => "network interface",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::PciAddr;

    fn vf(index: u16) -> Vf {
        let address = format!("0000:01:10.{index}").parse().unwrap();
        Vf { index, address }
    }

    #[test]
    fn troubles_are_few_lines() {
        let untaken = |index| Trouble {
            vf: vf(index),
            lack: Lack::Driver(DriverError::NoneTook {
                address: vf(index).address,
            }),
        };
        let failed = Trouble {
            vf: vf(3),
            lack: Lack::Driver(DriverError::Failed {
                address: vf(3).address,
                driver: "mlx5_core".to_owned(),
                errno: Some(Errno::ENOMEM),
            }),
        };
        let late = Trouble {
            vf: vf(4),
            lack: Lack::Equipment(Equipment {
                driver: false,
                rdma: true,
                netdev: true,
            }),
        };
        let told = troubles(&[untaken(0), untaken(1), failed, late], 60);
        let [none, failed, late] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(none.headline, "VFs 0, 1 have no driver");
        assert_eq!(failed.headline, "VF 3 (0000:01:10.3) has no driver");
        assert!(
            failed.cause.as_ref().is_some_and(|cause| cause
                .starts_with("mlx5_core failed to start on 0000:01:10.3: Out of memory")),
            "{failed:?}"
        );
        assert_eq!(
            late.headline,
            "VF 4 (0000:01:10.4) has no RDMA device and no network interface after 60 s"
        );
    }

    #[test]
    fn modules_that_are_there_or_not() {
        let driver: DriverName = "vfio-pci".parse().unwrap();
        let error = BindingError::Driver(DriverError::NoSuchDriver { driver });
        let told = explain(&error, Availability::Installed);
        assert_eq!(told.headline, "no PCI driver vfio-pci is loaded");
        assert_eq!(told.cure.as_deref(), Some("modprobe vfio-pci"));
        assert_eq!(explain(&error, Availability::Missing).cure, None);
        let address: PciAddr = vf(1).address;
        let left = |back| {
            let cause = DriverError::NoneTook { address };
            let before = "mlx5_core".to_owned();
            let error = BindingError::Left {
                cause,
                before,
                back,
            };
            explain(&error, Availability::Unknown).cause.unwrap()
        };
        assert!(left(true).ends_with("it has its driver mlx5_core again"));
        assert!(left(false).ends_with("has no driver now"));
    }
}

//! What a word means: a PF, or one of its VFs.

use super::pf::{self, Pf, Vf};
use crate::kernel::{Sysfs, SysfsError};
use crate::pci::function;
use crate::types::PciAddr;

/// Why a word selects nothing.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// No function has this address, no interface or RDMA device this name.
    #[error("there is no PCI function, network interface or RDMA device \"{word}\" here")]
    Unknown {
        /// The word.
        word: String,
    },
    /// An interface and an RDMA device of this name sit on different functions.
    #[error("\"{word}\" is a network interface of {netdev} and an RDMA device of {rdma}")]
    Ambiguous {
        /// The word.
        word: String,
        /// The function of the interface.
        netdev: PciAddr,
        /// The function of the RDMA device.
        rdma: PciAddr,
    },
    /// It is a function that can have no VFs.
    #[error("{word} is no PF: {address} cannot have VFs")]
    NotPf {
        /// The word.
        word: String,
        /// The function.
        address: PciAddr,
    },
    /// A VF stands where a PF should.
    #[error("{word} is VF {index} of {pf}, not a PF")]
    IsVf {
        /// The word.
        word: String,
        /// Its PF.
        pf: PciAddr,
        /// Its index.
        index: u16,
    },
    /// A PF stands where a VF should.
    #[error("{word} is the PF {pf}, not a VF")]
    IsPf {
        /// The word.
        word: String,
        /// The PF.
        pf: PciAddr,
        /// How many VFs it has.
        vfs: usize,
    },
    /// The PF has no VF of this index.
    #[error("{pf} has no VF {index}")]
    NoVf {
        /// The PF.
        pf: PciAddr,
        /// The index asked for, as written.
        index: String,
        /// How many VFs it has.
        vfs: usize,
        /// How many it can have.
        total_vfs: u16,
    },
    /// sysfs could not be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
}

/// What a word selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// A physical function.
    Pf(Pf),
    /// A virtual function.
    Vf(Pf, Vf),
}

/// The PF or VF that `word` means: `PF/INDEX`, or the PCI address, interface or RDMA device of
/// either. Names are those of the namespace that `sysfs` belongs to.
///
/// # Errors
/// [`SelectError`].
pub fn select(sysfs: &Sysfs, word: &str) -> Result<Selected, SelectError> {
    if let Some((parent, index)) = word.rsplit_once('/') {
        // A VF's VF gets its own answer below; deeper words are no more than noise.
        if parent.matches('/').count() > 1 {
            return Err(unknown(word));
        }
        let pf = pf(sysfs, parent)?;
        let found = index.parse().ok().and_then(|index| pf.vf(index));
        return match found {
            Some(vf) => Ok(Selected::Vf(pf, vf)),
            None => Err(SelectError::NoVf {
                pf: pf.address,
                index: index.to_owned(),
                vfs: pf.vfs.len(),
                total_vfs: pf.total_vfs,
            }),
        };
    }
    let address = address(sysfs, word)?;
    if let Some(pf) = pf::read(sysfs, address)? {
        return Ok(Selected::Pf(pf));
    }
    match pf::of_vf(sysfs, address)? {
        Some((pf, vf)) => Ok(Selected::Vf(pf, vf)),
        None => Err(SelectError::NotPf {
            word: word.to_owned(),
            address,
        }),
    }
}

/// The PF that `word` means.
///
/// # Errors
/// [`SelectError::IsVf`] for a VF, and those of [`select`].
pub fn pf(sysfs: &Sysfs, word: &str) -> Result<Pf, SelectError> {
    match select(sysfs, word)? {
        Selected::Pf(pf) => Ok(pf),
        Selected::Vf(pf, vf) => Err(SelectError::IsVf {
            word: word.to_owned(),
            pf: pf.address,
            index: vf.index,
        }),
    }
}

/// The VF that `word` means, and its PF.
///
/// # Errors
/// [`SelectError::IsPf`] for a PF, and those of [`select`].
pub fn vf(sysfs: &Sysfs, word: &str) -> Result<(Pf, Vf), SelectError> {
    match select(sysfs, word)? {
        Selected::Vf(pf, vf) => Ok((pf, vf)),
        Selected::Pf(pf) => Err(SelectError::IsPf {
            word: word.to_owned(),
            pf: pf.address,
            vfs: pf.vfs.len(),
        }),
    }
}

fn address(sysfs: &Sysfs, word: &str) -> Result<PciAddr, SelectError> {
    if let Ok(address) = word.parse::<PciAddr>() {
        let there = sysfs.exists(function::folder(address));
        return there.then_some(address).ok_or_else(|| unknown(word));
    }
    let netdev = function::of_member(sysfs, "net", word)?;
    let rdma = function::of_member(sysfs, "infiniband", word)?;
    match (netdev, rdma) {
        (Some(netdev), Some(rdma)) if netdev != rdma => Err(SelectError::Ambiguous {
            word: word.to_owned(),
            netdev,
            rdma,
        }),
        (Some(address), _) | (_, Some(address)) => Ok(address),
        (None, None) => Err(unknown(word)),
    }
}

fn unknown(word: &str) -> SelectError {
    SelectError::Unknown {
        word: word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    fn function(machine: Machine, name: &str) -> Machine {
        machine.link(
            &format!("sys/bus/pci/devices/{name}"),
            &format!("../../../devices/{name}"),
        )
    }

    fn member(machine: Machine, class: &str, name: &str, function: &str) -> Machine {
        machine
            .link(
                &format!("sys/devices/{function}/{class}/{name}/device"),
                &format!("../../../{function}"),
            )
            .link(
                &format!("sys/class/{class}/{name}"),
                &format!("../../devices/{function}/{class}/{name}"),
            )
    }

    fn machine() -> Machine {
        let (pf, vf, other) = ("0000:01:00.0", "0000:01:10.2", "0000:05:00.0");
        let mut machine = Machine::new()
            .file("sys/devices/0000:01:00.0/sriov_totalvfs", "7")
            .link("sys/devices/0000:01:00.0/virtfn2", "../0000:01:10.2")
            .link("sys/devices/0000:01:10.2/physfn", "../0000:01:00.0");
        for name in [pf, vf, other] {
            machine = function(machine, name);
        }
        for (class, name, place) in [
            ("net", "ib0", pf),
            ("infiniband", "mlx5_0", pf),
            ("net", "ib3", vf),
            ("infiniband", "mlx5_3", vf),
            ("net", "nic", other),
            ("net", "twin", pf),
            ("infiniband", "twin", vf),
        ] {
            machine = member(machine, class, name, place);
        }
        machine
    }

    #[test]
    fn every_way_to_name_one() {
        let machine = machine();
        let host = machine.host();
        for word in [
            "ib0/2",
            "mlx5_0/2",
            "0000:01:00.0/2",
            "01:00.0/2",
            "0000:01:10.2",
            "ib3",
            "mlx5_3",
        ] {
            let (pf, vf) = vf(host.sysfs(), word).unwrap_or_else(|error| panic!("{word}: {error}"));
            assert_eq!(
                (pf.address.to_string().as_str(), vf.index),
                ("0000:01:00.0", 2),
                "{word}"
            );
        }
        for word in ["ib0", "mlx5_0", "0000:01:00.0", "01:00.0"] {
            assert_eq!(pf(host.sysfs(), word).unwrap().total_vfs, 7, "{word}");
        }
    }

    #[test]
    fn what_selects_nothing_says_why() {
        let machine = machine();
        let host = machine.host();
        for (word, expected) in [
            (
                "",
                "there is no PCI function, network interface or RDMA device \"\" here",
            ),
            (
                "../ib0",
                "there is no PCI function, network interface or RDMA device \"..\" here",
            ),
            (
                "ib9",
                "there is no PCI function, network interface or RDMA device \"ib9\" here",
            ),
            (
                "0000:09:00.0",
                "there is no PCI function, network interface or RDMA device \"0000:09:00.0\" here",
            ),
            ("nic", "nic is no PF: 0000:05:00.0 cannot have VFs"),
            ("ib0", "ib0 is the PF 0000:01:00.0, not a VF"),
            ("ib0/1", "0000:01:00.0 has no VF 1"),
            ("ib0/x", "0000:01:00.0 has no VF x"),
            ("ib0/70000", "0000:01:00.0 has no VF 70000"),
            ("ib3/0", "ib3 is VF 2 of 0000:01:00.0, not a PF"),
            ("ib0/2/2", "ib0/2 is VF 2 of 0000:01:00.0, not a PF"),
            (
                "twin",
                "\"twin\" is a network interface of 0000:01:00.0 and an RDMA device of 0000:01:10.2",
            ),
        ] {
            assert_eq!(
                vf(host.sysfs(), word).unwrap_err().to_string(),
                expected,
                "{word}"
            );
        }
        assert!(vf(host.sysfs(), &"a/".repeat(100_000)).is_err());
        let error = pf(host.sysfs(), "mlx5_3").unwrap_err().to_string();
        assert_eq!(error, "mlx5_3 is VF 2 of 0000:01:00.0, not a PF");
    }
}

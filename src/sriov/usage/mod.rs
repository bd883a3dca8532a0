//! Who uses the VFs of a PF: what would be taken from somebody if they went away.

mod away;
mod guest;
mod netdev;
mod records;
mod verbs;

use std::path::PathBuf;

use super::held::Held;
use super::pf::{Pf, Vf};
use crate::kernel::namespace::Process;
use crate::kernel::namespaces::{Depth, survey};
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{FileError, Host, Namespace, NetlinkError, NetnsError, SysfsError};
use crate::pci::appearance::Equipment;
use crate::types::IpNet;

/// One way in which one VF is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The VF.
    pub vf: Vf,
    /// How.
    pub how: How,
}

/// The ways of using a VF, each with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// A process has it, or a group that it is in, open through VFIO: a guest, or DPDK.
    Guest {
        /// The file, as the kernel names it: `/dev/vfio/12`.
        file: String,
        /// The process.
        process: Process,
    },
    /// Its RDMA device is in another network namespace.
    RdmaAway {
        /// The device, by its name there.
        device: String,
        /// Where.
        namespace: Namespace,
    },
    /// Its network interface is in another network namespace.
    NetdevAway {
        /// The interface, by its name there.
        netdev: String,
        /// Where.
        namespace: Namespace,
    },
    /// It has a driver, and not all that its PF has, anywhere: that is in a namespace that cannot
    /// be found.
    Unseen {
        /// The driver.
        driver: String,
        /// Its RDMA device is missing.
        rdma: bool,
        /// Its network interface is missing.
        netdev: bool,
    },
    /// A process has verbs objects on it.
    Verbs {
        /// The RDMA device.
        device: String,
        /// The process; `None` when it lives in another PID namespace.
        process: Option<Process>,
        /// Its contexts.
        contexts: usize,
        /// Its queue pairs.
        queue_pairs: usize,
    },
    /// A part of the kernel has queue pairs or connections on it: a file system, a block device.
    KernelVerbs {
        /// The RDMA device.
        device: String,
        /// The kernel module.
        module: String,
    },
    /// Its interface is up and has addresses that somebody gave it.
    Addresses {
        /// The interface.
        netdev: String,
        /// The addresses.
        addresses: Vec<IpNet>,
    },
    /// Its interface belongs to another one, such as a bond.
    Member {
        /// The interface.
        netdev: String,
        /// The other one.
        master: String,
    },
    /// Another interface sits on its own, such as a VLAN.
    Carries {
        /// The interface.
        netdev: String,
        /// The other one.
        upper: String,
    },
    /// A CNI plugin has it on record as lent.
    Record {
        /// The record.
        path: PathBuf,
        /// The container, where the record says it.
        container: Option<String>,
    },
    /// The kubelet has given it to a pod.
    Allocated {
        /// The uid of the pod.
        pod: String,
        /// The container in it.
        container: String,
    },
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Every use, by VF.
    pub uses: Vec<Use>,
    /// Processes and namespaces that the caller may not look into: there may be more.
    pub hidden: usize,
}

impl Usage {
    /// How many VFs are in use.
    pub fn vfs(&self) -> usize {
        let mut vfs: Vec<u16> = self.uses.iter().map(|each| each.vf.index).collect();
        vfs.dedup();
        vfs.len()
    }
}

/// Why it cannot be said who uses a VF.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// /proc, or a record, cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// sysfs cannot be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
    /// The kernel cannot be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The initial network namespace cannot be entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
}

/// Who uses these VFs of a PF. Whatever their number: one pass over /proc, one look into each
/// namespace, and one listing of each kind.
///
/// # Errors
/// [`UsageError`]; a namespace or a process that vanishes meanwhile uses nothing.
pub fn look(host: &Host, pf: &Pf, vfs: &[Vf]) -> Result<Usage, UsageError> {
    let mut usage = Usage::default();
    if vfs.is_empty() {
        return Ok(usage);
    }
    // Where devices are that nobody moved; /sys may be that of another namespace.
    let first = NetnsSysfs::of_first(host);
    let sysfs = first.as_ref().map_or(host.sysfs(), NetnsSysfs::tree);
    let held: Vec<Held> = vfs
        .iter()
        .map(|vf| Held::of(sysfs, *vf))
        .collect::<Result<_, SysfsError>>()?;
    let survey = survey(host, Depth::Processes)?;
    usage.hidden = survey.hidden;
    // The caller may have been told to work in another one.
    let mut homes = survey.namespaces.iter();
    let initial = homes.find(|namespace| namespace.is_initial);
    let at_home = match initial {
        Some(home) if !home.is_current => home.open(host)?.within(|| at_home(host, &held))?,
        _ => at_home(host, &held),
    }?;
    usage.uses.extend(at_home.uses);
    let (guests, hidden) = guest::look(host, &held)?;
    usage.uses.extend(guests);
    usage.hidden = usage.hidden.max(hidden);
    let whose = away::Whose {
        pf: Equipment::of(sysfs, pf.address)?,
        exclusive: at_home.exclusive,
    };
    usage.uses.extend(away::look(host, &whose, &held, survey)?);
    usage.uses.extend(records::look(host, vfs)?);
    usage.uses.sort_by_key(|each| each.vf.index);
    Ok(usage)
}

struct AtHome {
    uses: Vec<Use>,
    exclusive: bool,
}

/// What the kernel says in the namespace of the calling thread.
fn at_home(host: &Host, held: &[Held]) -> Result<AtHome, UsageError> {
    let mut uses = netdev::look(host, held)?;
    let mut exclusive = false;
    if let Some(mut conn) = verbs::open(host)? {
        exclusive = verbs::is_exclusive(&mut conn)?;
        uses.extend(verbs::look(host, &mut conn, held)?);
    }
    Ok(AtHome { uses, exclusive })
}

//! A VF whose driver is bound anew: what its PF was told takes effect, and names may change.

use std::time::{Duration, Instant};

use super::error::AttachError;
use super::{home, name_trade};
use crate::kernel::{Conn, Host, Lock, LockError};
use crate::netdev::on_function;
use crate::pci::admission::keeps_drivers_away;
use crate::pci::device::rdma_names;
use crate::rdma::lease::locks;
use crate::rdma::newest;
use crate::sriov::binding::Job;
use crate::sriov::pf::{Pf, Vf};
use crate::types::DeviceId;
use crate::wire::nldev::device::Device;

/// How long a driver may take for one VF.
pub(super) const PROBE: Duration = Duration::from_secs(30);
/// How long the interface and the RDMA device may take after that.
const APPEARANCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// What is to be there afterwards, and who may be at work meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// A network interface.
    pub netdev: bool,
    /// So many RDMA devices.
    pub rdma: usize,
    /// Others to whom the numbers of character devices do not matter either may bind theirs at the
    /// same time: the kernel gives out the lowest free ones, in the order that drivers are bound.
    pub together: bool,
}

/// Takes the driver from a VF and binds it again, while nobody else on the node does so, or only
/// others in `together`. Its RDMA devices get `names` again, one VF after the other, where these
/// belong to nobody else; they are returned.
///
/// # Errors
/// [`AttachError::Binding`], [`AttachError::NotBack`].
pub fn bind_anew(
    host: &Host,
    route: &mut Conn,
    pf: &Pf,
    vf: Vf,
    expected: Expected,
    names: &[String],
) -> Result<Vec<Device>, AttachError> {
    // Who opens a PF for the time of its bind closes it for the others.
    let together =
        expected.together && !names.is_empty() && !keeps_drivers_away(host.sysfs(), pf.address);
    let mut lock = had(if together {
        locks::node_shared(host)
    } else {
        locks::node(host)
    })?;
    let job = Job {
        host,
        pf,
        vf,
        deadline: Instant::now() + PROBE,
    };
    job.rebind(None)?;
    let function = vf.address;
    if expected.netdev
        && on_function::await_here(route, host.sysfs(), function, APPEARANCE)?.is_none()
    {
        let lack = "network interface";
        return Err(AttachError::NotBack { function, lack });
    }
    let id = DeviceId::Pci(function);
    let begun = Instant::now();
    while rdma_names(host.sysfs(), &id)?.len() < expected.rdma {
        if begun.elapsed() > APPEARANCE {
            let lack = "RDMA device";
            return Err(AttachError::NotBack { function, lack });
        }
        std::thread::sleep(PAUSE);
    }
    if expected.rdma == 0 {
        return Ok(Vec::new());
    }
    if together {
        drop(lock);
        lock = had(locks::node(host))?;
    }
    let devices = name_trade::restore(host, &mut home::conn(host)?, function, names)?;
    newest::note(host, &devices);
    drop(lock);
    Ok(devices)
}

/// No lock can be had on a read-only disk: that must not keep a VF.
fn had(lock: Result<Lock, LockError>) -> Result<Option<Lock>, AttachError> {
    match lock {
        Ok(lock) => Ok(Some(lock)),
        Err(error @ LockError::Busy { .. }) => Err(error.into()),
        Err(LockError::File(_)) => Ok(None),
    }
}

//! A VF whose driver is bound anew: what its PF was told takes effect, and names may change.

use std::time::{Duration, Instant};

use super::error::AttachError;
use super::{rdma_side, take};
use crate::kernel::{Conn, Host, LockError};
use crate::netdev::on_function;
use crate::pci::device::rdma_names;
use crate::rdma::lease::locks;
use crate::sriov::binding::Job;
use crate::sriov::pf::{Pf, Vf};
use crate::types::DeviceId;
use crate::wire::link::message::Link;

/// How long a driver may take for one VF.
pub(super) const PROBE: Duration = Duration::from_secs(30);
/// How long the interface and the RDMA device may take after that.
const APPEARANCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// What is to be there afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// A network interface.
    pub netdev: bool,
    /// So many RDMA devices.
    pub rdma: usize,
}

/// Takes the driver from a VF and binds it again, while nobody else on the node does so: the
/// kernel gives out the lowest free names, in the order that drivers are bound. Its RDMA devices
/// get `names` before anybody else binds one, where nobody has these.
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
) -> Result<Option<Link>, AttachError> {
    let _lock = match locks::node(host) {
        Ok(lock) => Some(lock),
        Err(error @ LockError::Busy { .. }) => return Err(error.into()),
        // No lock can be had on a read-only disk: that must not keep a VF.
        Err(LockError::File(_)) => None,
    };
    let job = Job {
        host,
        pf,
        vf,
        deadline: Instant::now() + PROBE,
    };
    job.rebind(None)?;
    let function = vf.address;
    let mut link = None;
    if expected.netdev {
        link = on_function::await_here(route, host.sysfs(), function, APPEARANCE)?;
        if link.is_none() {
            let lack = "network interface";
            return Err(AttachError::NotBack { function, lack });
        }
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
    if !names.is_empty() && expected.rdma > 0 {
        rdma_side::rename_anew(host, &mut take::home(host)?, function, names)?;
    }
    Ok(link)
}

//! STATUS: whether an ADD would find what every ADD needs.

use super::IbSriov;
use super::config::Settings;
use crate::attachment::take::VFIO;
use crate::attachment::{VfStore, home};
use crate::cni::ipam::{Ipam, Task};
use crate::cni::{Call, Code, Config, Failure};
use crate::pci::function;
use crate::plugins::attach_fault::attach;
use crate::plugins::{fault, mode};
use crate::sriov::pf;
use crate::types::PciAddr;

/// Looks at the mode of the subsystem, at the VFs and the PFs for virtual machines, at the folder of the records, and at IPAM.
///
/// # Errors
/// Code 50, or what the IPAM plugin answers.
pub fn status(plugin: &mut IbSriov<'_>, call: &Call, config: &Config<'_>) -> Result<(), Failure> {
    let unavailable = |failure: Failure| Failure {
        code: Code::NOT_AVAILABLE,
        ..failure
    };
    let (settings, _) = Settings::read_what_can_be(call, config);
    if settings.isolation {
        let mut home = home::conn(plugin.host).map_err(|error| unavailable(attach(&error)))?;
        mode::require_exclusive(&mut home)?;
    }
    let pfs = pf::list(plugin.host.sysfs()).map_err(|error| unavailable(fault::sysfs(&error)))?;
    let whole = pfs.iter().map(|pf| pf.address).chain(settings.device);
    if pfs.iter().all(|pf| pf.vfs.is_empty()) && !whole.into_iter().any(|it| is_vfio(plugin, it)) {
        return Err(Failure::new(Code::NOT_AVAILABLE, "this node has no VFs")
            .details("rdmactl vf create PF N makes some"));
    }
    let store = VfStore::new(plugin.host);
    let probed = store.folder().probe();
    probed.map_err(|error| unavailable(fault::file(&error)))?;
    if let Some(ipam) = Ipam::of(config, call).map_err(unavailable)? {
        let answer = ipam.ask(Task::Status, plugin.env, config);
        answer.map_err(|failure| match failure.code {
            Code::NOT_AVAILABLE | Code::LIMITED => failure,
            // One that does not know the question does not speak this version, and serves no ADD.
            _ => unavailable(Failure {
                msg: format!(
                    "IPAM plugin {:?} is not ready: {}",
                    ipam.kind(),
                    failure.msg
                ),
                ..failure
            }),
        })?;
    }
    Ok(())
}

/// Whether it is for a virtual machine, and can be given whole.
fn is_vfio(plugin: &IbSriov<'_>, address: PciAddr) -> bool {
    let found = function::read(plugin.host.sysfs(), address).ok().flatten();
    found.and_then(|function| function.driver).as_deref() == Some(VFIO)
}

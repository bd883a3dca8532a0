//! Which function is meant, and the RDMA devices that sit on it at home.

use super::error::HookError;
use super::word::Word;
use crate::kernel::{Conn, Host};
use crate::pci::device::{presence, rdma_names};
use crate::rdma;
use crate::rdma::lease::ledger::Ledger;
use crate::rdma::lease::stray::below;
use crate::rdma::lease::{Attachment, Store, locate};
use crate::types::DeviceId;
use crate::wire::nldev::device::Device;

/// What a word means: first the device that is called so at home, then the one that is lent and
/// was called so.
///
/// # Errors
/// [`HookError::NoDevice`], [`HookError::Software`].
pub fn meant(host: &Host, home: &mut Conn, word: &Word) -> Result<DeviceId, HookError> {
    let (name, auxiliary) = match word {
        Word::Function(address) => return Ok(DeviceId::Pci(*address)),
        Word::Named(name, auxiliary) => (name.as_str(), auxiliary),
    };
    if let Some(id) = below(host.sysfs(), name) {
        return Ok(id);
    }
    let ledger = Ledger::read(host)?;
    let lent = ledger
        .of_this_boot()
        .find(|record| record.host_name == name);
    if let Some(id) = lent.and_then(|record| record.device_id.clone()) {
        return Ok(id);
    }
    if let Some(auxiliary) = auxiliary {
        return Ok(DeviceId::Auxiliary(auxiliary.clone()));
    }
    let here = rdma::device::list(home)?;
    if here.iter().any(|device| device.name == name) {
        return Err(HookError::Software(word.clone()));
    }
    Err(HookError::NoDevice(word.clone()))
}

/// The devices of `id` at home, by index. A container before may just have ended: what it had is
/// waited for.
///
/// # Errors
/// [`HookError::Busy`], [`HookError::NotThere`].
pub fn at_home(
    host: &Host,
    home: &mut Conn,
    id: &DeviceId,
    attachment: &Attachment,
) -> Result<Vec<Device>, HookError> {
    let ledger = Ledger::read(host)?;
    let counts = ledger
        .of_this_boot()
        .filter(|record| record.device_id.as_ref() == Some(id))
        .map(|record| 1 + record.siblings.len());
    let count = counts.max().unwrap_or(1);
    let mut names = rdma_names(host.sysfs(), id)?;
    if names.len() < count {
        if let Some((_, path, _)) = locate::outside(host, id) {
            return Err(busy(host, id, attachment, Some(path)));
        }
        names = locate::await_home(host, id, count)?;
    }
    let found = rdma::device::shown(home, &names)?;
    if !found.is_empty() {
        return Ok(found);
    }
    let busy = busy(host, id, attachment, None);
    if matches!(&busy, HookError::Busy { owner: Some(_), .. }) {
        return Err(busy);
    }
    Err(HookError::NotThere {
        id: id.clone(),
        presence: presence(host.sysfs(), id)?,
    })
}

fn busy(host: &Host, id: &DeviceId, attachment: &Attachment, place: Option<String>) -> HookError {
    let claims = Store::new(host).claims(id, Some(attachment));
    let claim = claims.unwrap_or_default().into_iter().next();
    HookError::Busy {
        id: id.clone(),
        owner: claim.map(|claim| (claim.container, claim.record)),
        place,
    }
}

//! VFs that a process has open through VFIO, itself or the group that they are in.

use super::{How, UsageError, Use};
use crate::kernel::Host;
use crate::sriov::held::Held;
use crate::sriov::vfio;

/// The uses, and how many processes could not be looked at.
pub(super) fn look(host: &Host, held: &[Held]) -> Result<(Vec<Use>, usize), UsageError> {
    let lent = held
        .iter()
        .filter(|each| vfio::hands_out(each.driver.as_deref()));
    let (mut found, hidden) = vfio::guests(host, lent.map(|each| each.vf.address))?;
    let mut uses = Vec::new();
    for each in held {
        let guests = found.remove(&each.vf.address).unwrap_or_default();
        uses.extend(guests.into_iter().map(|guest| Use {
            vf: each.vf,
            how: How::Guest {
                file: guest.file,
                process: guest.process,
            },
        }));
    }
    Ok((uses, hidden))
}

//! Settings of firmware, changed on record; a reset is for people.

use super::StepError;
use crate::kernel::Host;
use crate::provision::firmware::{Access, Attempts, LinkType, Wish};
use crate::provision::plan::{Action, Step};
use crate::types::PciAddr;

/// Changes all these settings of one card at once.
pub(super) fn set(host: &Host, pf: PciAddr, steps: &[&Step]) -> Result<(), StepError> {
    let changes: Vec<(&str, u64)> = steps.iter().filter_map(|step| change(step)).collect();
    let mut wish = Wish::default();
    for (key, _) in &changes {
        // The way depends on what is asked for, not on its value.
        match key.strip_prefix("LINK_TYPE_P").map(str::parse) {
            Some(Ok(port)) => {
                wish.link_types.insert(port, LinkType::Infiniband);
            }
            _ => wish.vfs = Some(1),
        }
    }
    let (mut access, _) = Access::find(host, pf, &wish, None)?;
    let mut attempts = Attempts::read(host)?;
    attempts.begin(host, pf, &changes)?;
    let outcome = access.set(pf, &changes)?;
    Ok(attempts.end(host, pf, outcome)?)
}

/// What a step changes, if it is one of these.
pub(super) fn change(step: &Step) -> Option<(&str, u64)> {
    match &step.action {
        Action::SetFirmware { key, to, .. } => Some((key, *to)),
        _ => None,
    }
}

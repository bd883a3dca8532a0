//! Settings of firmware, changed on record; a reset is for people.

use super::StepError;
use crate::kernel::Host;
use crate::provision::firmware::{Access, Attempts, FirmwareError, LinkType, Wish};
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

/// Forgets what was changed and has come: the next change is a first one again. What has not come is counted by boots.
/// `steps` are those
/// that are left to a PF without troubles, whose firmware was asked where it had to be.
pub(super) fn settle(host: &Host, pf: PciAddr, steps: &[Step]) -> Result<(), FirmwareError> {
    let mut attempts = Attempts::read(host)?;
    let mut come = attempts.of(pf);
    let own = steps.iter().filter(|step| step.target.pf() == Some(pf));
    let own: Vec<&Step> = own.collect();
    let pending = own.iter().filter_map(|step| match &step.action {
        Action::ResetFirmware { key, to, .. } => Some((key.as_str(), *to)),
        _ => None,
    });
    attempts.note(host, pf, &pending.collect::<Vec<_>>())?;
    for step in own {
        if let Action::SetFirmware { key, .. } | Action::ResetFirmware { key, .. } = &step.action {
            come.retain(|each| each != key);
        }
    }
    let come: Vec<&str> = come.iter().map(String::as_str).collect();
    attempts.settle(host, pf, &come)
}

/// What a step changes, if it is one of these.
pub(super) fn change(step: &Step) -> Option<(&str, u64)> {
    match &step.action {
        Action::SetFirmware { key, to, .. } => Some((key, *to)),
        _ => None,
    }
}

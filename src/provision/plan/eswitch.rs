//! The steps of a PF's switch: its mode changes while no VF has a driver.

use super::step::{Action, Block, Class, Reason, Step, Target};
use super::vfs;
use crate::provision::desired::VfDesired;
use crate::provision::document::{DriverWish, Ownership, PfEntry, Policy};
use crate::provision::observed::PfState;
use crate::provision::problem::Problem;
use crate::sriov::vf_side::VfSide;
use crate::types::{DriverName, EswitchMode};

/// Drivers that change the mode only while there are no VFs (drivers/net/ethernet/intel/ice).
const BEFORE_VFS: [&str; 1] = ["ice"];

/// A change of the mode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    from: Option<EswitchMode>,
    to: EswitchMode,
    /// It has to be done while there are no VFs.
    pub is_before_vfs: bool,
}

/// What has to be changed, if anything.
///
/// # Errors
/// The problem that leaves no way for the mode alone.
pub(super) fn change(entry: &PfEntry, state: &PfState) -> Result<Option<Change>, Problem> {
    let Some(to) = entry.eswitch else {
        return Ok(None);
    };
    match (state.eswitch, to) {
        (Some(is), to) if is == to => Ok(None),
        // A driver that offers no mode works in this one.
        (None, EswitchMode::Legacy) => Ok(None),
        (None, EswitchMode::Switchdev) => Err(Problem::NoEswitch),
        (Some(is), wanted) if entry.ownership != Ownership::Full => {
            Err(Problem::WrongEswitch { is, wanted })
        }
        (from, to) => {
            let driver = state.driver.as_deref().unwrap_or_default();
            let is_before_vfs = BEFORE_VFS.contains(&driver);
            Ok(Some(Change {
                from,
                to,
                is_before_vfs,
            }))
        }
    }
}

impl Change {
    pub(super) fn step(self, state: &PfState) -> Step {
        let action = Action::SetEswitch {
            from: self.from,
            to: self.to,
        };
        Step {
            class: Class::Rebind,
            ..Step::safe(Target::Pf(state.pf.address), action, Reason::Declared)
        }
    }
}

/// The mode of a PF changes that has its VFs: all lose their drivers for it.
///
/// # Errors
/// [`Problem::Unfit`].
pub(super) fn existing(
    change: Change,
    policy: Policy,
    state: &PfState,
    desired: &[VfDesired],
) -> Result<Vec<Step>, Problem> {
    let pf = state.pf.address;
    let mut unbound = Vec::new();
    for vf in &state.pf.vfs {
        let side = state.sides.get(&vf.index);
        if let Some(from) = side.and_then(|side| side.driver.clone()) {
            let action = Action::Unbind { from };
            let step = Step::safe(Target::Vf(pf, vf.index), action, Reason::EswitchMode);
            let step = Step {
                class: Class::Rebind,
                ..step
            };
            unbound.extend(vfs::guarded(policy, state, vf.index, vec![step]));
        }
    }
    let mut bare = state.clone();
    for side in bare.sides.values_mut() {
        *side = VfSide {
            numa_node: side.numa_node,
            ..VfSide::default()
        };
    }
    let mut steps = vec![change.step(state)];
    for vf in desired.iter().filter(|vf| !vf.is_left) {
        steps.extend(vfs::existing(policy, &bare, vf)?);
    }
    for step in &unbound {
        let (Target::Vf(_, index), Action::Unbind { from }) = (step.target, &step.action) else {
            continue;
        };
        let declared = desired.iter().find(|vf| vf.index == index);
        let keeps = |vf: &VfDesired| vf.is_left || vf.driver == DriverWish::Unmanaged;
        if declared.is_none_or(keeps) {
            let named: Option<DriverName> = from.parse().ok();
            let to = named.filter(DriverName::takes_anything);
            let bind = Action::Bind { to };
            steps.push(Step::safe(step.target, bind, Reason::EswitchMode));
        }
    }
    // Where one VF has to keep its driver nothing is begun.
    if unbound.iter().any(|step| step.blocked.is_some()) {
        for step in unbound.iter_mut().chain(&mut steps) {
            step.blocked = step.blocked.or(Some(Block::Earlier));
        }
    }
    unbound.extend(steps);
    Ok(unbound)
}

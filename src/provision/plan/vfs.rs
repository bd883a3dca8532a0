//! The steps of one VF: what its PF gives it, and its driver.

use super::step::{Action, Block, Class, Reason, Step, Target};
use crate::provision::desired::VfDesired;
use crate::provision::document::{Disruptive, DriverWish, Policy};
use crate::provision::observed::PfState;
use crate::provision::problem::Problem;
use crate::sriov::vf_side::{Identity, VfSide};
use crate::sriov::wish::current;
use crate::types::{DriverName, PciAddr};
use crate::wire::link::vf::{Vf as Told, VfSetting};

/// What a VF is given that does not exist yet.
///
/// # Errors
/// [`Problem::Unfit`].
pub(super) fn new_settings(pf: PciAddr, vf: &VfDesired) -> Result<Vec<Step>, Problem> {
    let settings = settings(vf, None)?;
    let step = |to| {
        let action = Action::Set { from: None, to };
        Step::safe(Target::Vf(pf, vf.index), action, Reason::NewVf)
    };
    let mut steps: Vec<Step> = settings.into_iter().map(step).collect();
    steps.extend(vf.msix.map(|to| {
        let action = Action::SetMsix { from: None, to };
        Step::safe(Target::Vf(pf, vf.index), action, Reason::NewVf)
    }));
    Ok(steps)
}

/// The driver of a VF that had none yet.
pub(super) fn first_driver(pf: PciAddr, vf: &VfDesired) -> Option<Step> {
    let to = match &vf.driver {
        DriverWish::None => return None,
        DriverWish::Default | DriverWish::Unmanaged => None,
        DriverWish::Named(driver) => Some(driver.clone()),
    };
    let target = Target::Vf(pf, vf.index);
    Some(Step::safe(target, Action::Bind { to }, Reason::NewVf))
}

fn settings(vf: &VfDesired, told: Option<&Told>) -> Result<Vec<VfSetting>, Problem> {
    let index = vf.index;
    let settings = vf.wish.settings(told);
    settings.map_err(|why| Problem::Unfit { index, why })
}

/// What makes a VF that is there what it is to be.
///
/// # Errors
/// [`Problem::Unfit`].
pub(super) fn existing(
    policy: Policy,
    state: &PfState,
    vf: &VfDesired,
) -> Result<Vec<Step>, Problem> {
    let told = state.told.get(&vf.index);
    let nothing = VfSide::default();
    let side = state.sides.get(&vf.index).unwrap_or(&nothing);
    let target = Target::Vf(state.pf.address, vf.index);
    let mut steps = Vec::new();
    for to in settings(vf, told)? {
        let from = told.and_then(|told| current(told, to));
        if is_so(to, from, side) {
            continue;
        }
        let reason = match from {
            Some(_) => Reason::Declared,
            None => Reason::NotTold,
        };
        let step = Step::safe(target, Action::Set { from, to }, reason);
        let disturbs = side.driver.is_some() && is_identity(to);
        steps.push(if disturbs { rebinds(step) } else { step });
    }
    let is_renamed = !side.stale(&Identity::from(&vf.wish)).is_empty();
    let is_renamed = is_renamed || steps.iter().any(|step| step.class == Class::Rebind);
    let from = state.vectors.get(&vf.index).copied();
    let vectors = vf.msix.filter(|to| from != Some(*to));
    let again = match (is_renamed, vectors) {
        (true, _) => Some(Reason::NewAddress),
        (false, Some(_)) => Some(Reason::NewVectors),
        (false, None) => None,
    };
    let mut drivers = driver(target, &vf.driver, side, again);
    if let Some(to) = vectors {
        let step = Step::safe(target, Action::SetMsix { from, to }, Reason::Declared);
        let is_bind = |step: &Step| matches!(step.action, Action::Bind { .. });
        let at = drivers.iter().position(is_bind).unwrap_or(drivers.len());
        let disturbs = side.driver.is_some();
        drivers.insert(at, if disturbs { rebinds(step) } else { step });
    }
    steps.extend(drivers);
    Ok(guarded(policy, state, vf.index, steps))
}

/// Whether nothing has to be given; what the PF does not tell, the VF may show.
fn is_so(to: VfSetting, told: Option<VfSetting>, side: &VfSide) -> bool {
    if told.is_some() {
        return told == Some(to);
    }
    let rdma = side.rdma.first();
    match to {
        VfSetting::NodeGuid(guid) => rdma.and_then(|rdma| rdma.node_guid) == Some(guid),
        VfSetting::PortGuid(guid) => rdma.and_then(|rdma| rdma.port_guid) == Some(guid),
        VfSetting::Mac(mac) => side.netdevs.first().and_then(|each| each.mac) == Some(mac),
        _ => false,
    }
}

fn is_identity(setting: VfSetting) -> bool {
    matches!(
        setting,
        VfSetting::NodeGuid(_) | VfSetting::PortGuid(_) | VfSetting::Mac(_)
    )
}

fn rebinds(step: Step) -> Step {
    Step {
        class: Class::Rebind,
        ..step
    }
}

/// The steps that give a VF its driver, or the one it has anew.
fn driver(target: Target, wish: &DriverWish, side: &VfSide, again: Option<Reason>) -> Vec<Step> {
    let now = side.driver.as_deref();
    let unbind = |from: &str, reason| {
        let from = from.to_owned();
        rebinds(Step::safe(target, Action::Unbind { from }, reason))
    };
    let bind = |to: Option<DriverName>, reason| Step::safe(target, Action::Bind { to }, reason);
    // A driver that takes whatever it is given is nobody's usual one.
    let is_usual = |name: &str| {
        let takes_anything = |name: DriverName| name.takes_anything();
        !name.parse().is_ok_and(takes_anything)
    };
    let (reason, to) = match (wish, now) {
        (DriverWish::None, None) | (DriverWish::Unmanaged, None) => return Vec::new(),
        (DriverWish::None, Some(now)) => return vec![unbind(now, Reason::OtherDriver)],
        (DriverWish::Default, None) => return vec![bind(None, Reason::NoDriver)],
        (DriverWish::Named(name), None) => {
            return vec![bind(Some(name.clone()), Reason::NoDriver)];
        }
        (DriverWish::Default, Some(now)) if !is_usual(now) => (Reason::OtherDriver, None),
        (DriverWish::Named(name), Some(now)) if name.as_str() != now => {
            (Reason::OtherDriver, Some(name.clone()))
        }
        (wish, Some(now)) => {
            let Some(reason) = again else {
                return Vec::new();
            };
            let to = match wish {
                DriverWish::Named(name) => Some(name.clone()),
                // The one that it has, if it can be named.
                DriverWish::Unmanaged => now.parse().ok().filter(|_| !is_usual(now)),
                DriverWish::Default | DriverWish::None => None,
            };
            (reason, to)
        }
    };
    now.map(|now| vec![unbind(now, reason), rebinds(bind(to, reason))])
        .unwrap_or_default()
}

/// Nothing is taken from whoever uses the VF, unless that is allowed.
pub(super) fn guarded(
    policy: Policy,
    state: &PfState,
    index: u16,
    mut steps: Vec<Step>,
) -> Vec<Step> {
    if steps.iter().all(|step| step.class == Class::Safe) {
        return steps;
    }
    let users = state.uses(index);
    let blocked = match policy.disruptive {
        _ if state.usage.is_none() => Some(Block::UsageUnknown),
        Disruptive::Force => None,
        Disruptive::Never | Disruptive::IfIdle => {
            Block::unless_idle(state.usage.as_ref(), !users.is_empty())
        }
    };
    for step in &mut steps {
        if step.class == Class::Rebind {
            step.blocked = blocked;
            step.users = users.clone();
        }
    }
    steps
}

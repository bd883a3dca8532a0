//! The way back: from what is there to what was there before the applies of this boot.
//!
//! What cannot be had again is left: VFs that were removed, and firmware.

use super::given;
use super::journal::{self, Originals};
use super::look::{self, LookError};
use super::observed::PfState;
use super::plan::{Action, Block, Class, Reason, Step, Target};
use crate::kernel::Host;
use crate::rdma::boot;
use crate::sriov::pf::{self, Pf, Vf};
use crate::sriov::usage;
use crate::sriov::wish::current;
use crate::types::{DriverName, EswitchMode, NetnsMode};
use crate::wire::link::vf::VfSetting;

/// The PFs that something is on record of, and the steps back.
///
/// # Errors
/// [`LookError`].
pub fn planned(host: &Host) -> Result<(Vec<PfState>, Vec<Step>), LookError> {
    let mut steps = Vec::new();
    steps.extend(mode(host)?);
    let mut there = Vec::new();
    let mut records = Vec::new();
    for (address, originals) in journal::all(host)? {
        // A PF that is gone took everything with it.
        if let Some(pf) = pf::read(host.sysfs(), address)? {
            there.push(pf);
            records.push(originals);
        }
    }
    let mut states = look::states(host, there)?;
    for (state, originals) in states.iter_mut().zip(&records) {
        if originals.eswitch.is_some() {
            look::ask_mode(host, state)?;
        }
        if !originals.vectors.is_empty() {
            look::ask_vectors(host, state)?;
        }
        let mut wanted = undo(state, originals);
        if wanted.iter().any(|step| step.class != Class::Safe) {
            state.usage = Some(usage::look(host, &state.pf, &state.pf.vfs)?);
            wanted = undo(state, originals);
        }
        if originals.brought_up && state.up == Some(true) {
            wanted.push(down(host, &state.pf, &wanted)?);
        }
        steps.extend(wanted);
    }
    Ok((states, steps))
}

/// The interface of a PF is switched off again, behind everything else, unless somebody uses it.
fn down(host: &Host, pf: &Pf, before: &[Step]) -> Result<Step, LookError> {
    let itself = Vf {
        index: 0,
        address: pf.address,
    };
    let is_used = !usage::look(host, pf, &[itself])?.uses.is_empty();
    let is_kept = before.iter().any(|step| step.blocked.is_some());
    let blocked = match (is_used, is_kept) {
        (true, _) => Some(Block::InUse),
        (false, true) => Some(Block::Earlier),
        (false, false) => None,
    };
    Ok(Step {
        blocked,
        ..Step::safe(Target::Pf(pf.address), Action::BringDown, Reason::WasBefore)
    })
}

fn mode(host: &Host) -> Result<Option<Step>, LookError> {
    let Some(to) = journal::kept_mode(host)? else {
        return Ok(None);
    };
    let configured = boot::settings(host).configured;
    let from = configured.and_then(|configured| configured.mode);
    if from.unwrap_or(NetnsMode::Shared) == to {
        return Ok(None);
    }
    let action = Action::PersistNetns { from, to };
    Ok(Some(Step::safe(Target::Host, action, Reason::WasBefore)))
}

/// The steps back of one PF. A pure function of the two.
fn undo(state: &PfState, originals: &Originals) -> Vec<Step> {
    let pf = Target::Pf(state.pf.address);
    let now = state.pf.vfs.len();
    let mut steps = Vec::new();
    // One that has ended put it back; what it is since then is somebody's wish.
    if originals.probing && !originals.ended && !state.probing {
        let on = Action::Probing { to: true };
        steps.push(Step::safe(pf, on, Reason::WasBefore));
    }
    if originals.vfs == 0 && now > 0 {
        let users: Vec<_> = state
            .usage
            .iter()
            .flat_map(|usage| usage.uses.clone())
            .collect();
        steps.push(Step {
            class: Class::DestroysVfs,
            blocked: blocked(state, users.is_empty()),
            users,
            ..Step::safe(pf, Action::Remove { from: now }, Reason::WasBefore)
        });
        steps.extend(mode_back(state, originals));
    } else if originals.vfs == now {
        steps.extend(switched_back(state, originals));
        for vf in &state.pf.vfs {
            steps.extend(of_vf(state, originals, vf.index));
        }
    }
    steps
}

fn mode_back(state: &PfState, originals: &Originals) -> Option<Step> {
    let to = EswitchMode::of_word(originals.eswitch.as_ref()?)?;
    let from = state.eswitch;
    let action = Action::SetEswitch { from, to };
    (from != Some(to)).then(|| Step {
        class: Class::Rebind,
        ..Step::safe(Target::Pf(state.pf.address), action, Reason::WasBefore)
    })
}

/// The mode of the switch, for which the VFs lose their drivers; what else they had comes after.
fn switched_back(state: &PfState, originals: &Originals) -> Vec<Step> {
    let Some(mode) = mode_back(state, originals) else {
        return Vec::new();
    };
    let (mut before, mut after) = (Vec::new(), vec![mode]);
    for vf in &state.pf.vfs {
        let side = state.sides.get(&vf.index);
        let Some(from) = side.and_then(|side| side.driver.clone()) else {
            continue;
        };
        let named: Option<DriverName> = from.parse().ok();
        let to = named.filter(DriverName::takes_anything);
        let users = state.uses(vf.index);
        let step = |action| Step {
            class: Class::Rebind,
            blocked: blocked(state, users.is_empty()),
            users: users.clone(),
            ..Step::safe(
                Target::Vf(state.pf.address, vf.index),
                action,
                Reason::EswitchMode,
            )
        };
        before.push(step(Action::Unbind { from }));
        after.push(step(Action::Bind { to }));
    }
    if before.iter().any(|step| step.blocked.is_some()) {
        for step in before.iter_mut().chain(&mut after) {
            step.blocked = step.blocked.or(Some(Block::Earlier));
        }
    }
    before.extend(after);
    before
}

fn blocked(state: &PfState, is_idle: bool) -> Option<Block> {
    Block::unless_idle(state.usage.as_ref(), !is_idle)
}

fn of_vf(state: &PfState, originals: &Originals, index: u16) -> Vec<Step> {
    let target = Target::Vf(state.pf.address, index);
    let told = state.told.get(&index);
    let mut settings = Vec::new();
    for (key, value) in originals.given.get(&index).into_iter().flatten() {
        let Some(to) = given::setting(key, value) else {
            continue;
        };
        let from = told.and_then(|told| current(told, to));
        if from != Some(to) {
            settings.push((from, to));
        }
    }
    let driver = state.sides.get(&index).and_then(|side| side.driver.clone());
    let before = originals.drivers.get(&index).unwrap_or(&driver);
    let is_identity = |(_, to): &(_, VfSetting)| {
        matches!(
            to,
            VfSetting::NodeGuid(_) | VfSetting::PortGuid(_) | VfSetting::Mac(_)
        )
    };
    let has = state.vectors.get(&index).copied();
    let vectors = originals.vectors.get(&index).copied();
    let vectors = vectors.filter(|to| has != Some(*to));
    let rebinds = *before != driver
        || driver.is_some() && vectors.is_some()
        || driver.is_some() && settings.iter().any(is_identity);
    let class = if rebinds { Class::Rebind } else { Class::Safe };
    let step = |action| Step {
        class,
        ..Step::safe(target, action, Reason::WasBefore)
    };
    let mut steps = Vec::new();
    if let Some(from) = driver.clone().filter(|_| rebinds) {
        steps.push(step(Action::Unbind { from }));
    }
    for (from, to) in settings {
        steps.push(step(Action::Set { from, to }));
    }
    if let Some(to) = vectors {
        steps.push(step(Action::SetMsix { from: has, to }));
    }
    if let Some(before) = before.as_ref().filter(|_| rebinds) {
        let named: Option<DriverName> = before.parse().ok();
        let to = named.filter(DriverName::takes_anything);
        steps.push(step(Action::Bind { to }));
    }
    if rebinds && driver.is_some() {
        let users = state.uses(index);
        let blocked = blocked(state, users.is_empty());
        for step in &mut steps {
            step.blocked = blocked;
            step.users.clone_from(&users);
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sriov::usage::{How, Usage, Use};
    use crate::sriov::vf_side::VfSide;
    use crate::wire::link::vf::Vf as Told;

    /// A PF with two VFs, the second of which has another GUID and driver than before.
    fn state() -> PfState {
        let vf = |index: u16| Vf {
            index,
            address: format!("0000:01:10.{index}").parse().unwrap(),
        };
        let told = |index: u16, guid: u64| Told {
            index: index.into(),
            port_guid: Some(crate::types::Guid::new(guid)),
            ..Told::default()
        };
        let side = |driver: &str| VfSide {
            driver: Some(driver.to_owned()),
            ..VfSide::default()
        };
        PfState {
            pf: Pf {
                address: "0000:01:00.0".parse().unwrap(),
                total_vfs: 4,
                vfs: vec![vf(0), vf(1)],
            },
            name: "ib0".to_owned(),
            driver: Some("mlx5_core".to_owned()),
            layer: None,
            guid: None,
            mac: None,
            probing: true,
            left_off: false,
            up: None,
            eswitch: None,
            vectors: [].into(),
            told: [(0, told(0, 7)), (1, told(1, 9))].into(),
            gap: None,
            sides: [(0, side("mlx5_core")), (1, side("mlx5_core"))].into(),
            usage: Some(Usage::default()),
        }
    }

    fn originals(vfs: usize) -> Originals {
        let mut originals = Originals::default();
        (originals.probing, originals.vfs) = (true, vfs);
        originals
    }

    fn actions(steps: &[Step]) -> Vec<String> {
        let steps = steps.iter();
        steps.map(|step| format!("{:?}", step.action)).collect()
    }

    #[test]
    fn what_was_made_goes_unless_it_is_used() {
        let steps = undo(&state(), &originals(0));
        assert_eq!(actions(&steps), ["Remove { from: 2 }"]);
        assert_eq!(
            (steps[0].class, steps[0].blocked),
            (Class::DestroysVfs, None)
        );
        let mut used = state();
        let how = How::Unseen {
            driver: "mlx5_core".to_owned(),
            rdma: true,
            netdev: false,
        };
        let vf = used.pf.vfs[1];
        used.usage = Some(Usage {
            uses: vec![Use { vf, how }],
            ..Usage::default()
        });
        let steps = undo(&used, &originals(0));
        assert_eq!(steps[0].blocked, Some(Block::InUse));
        used.usage = Some(Usage {
            hidden: 1,
            ..Usage::default()
        });
        let steps = undo(&used, &originals(0));
        assert_eq!(steps[0].blocked, Some(Block::Unseen));
        used.usage = None;
        let steps = undo(&used, &originals(0));
        assert_eq!(steps[0].blocked, Some(Block::UsageUnknown));
        // They were removed and made anew: those that were there are gone.
        assert!(undo(&state(), &originals(3)).is_empty());
    }

    #[test]
    fn what_was_there_gets_back_what_it_had() {
        assert!(undo(&state(), &originals(2)).is_empty());
        let mut before = originals(2);
        let guid = "00:00:00:00:00:00:00:08".to_owned();
        before.given.insert(
            1,
            [
                ("port_guid".to_owned(), guid),
                ("x".to_owned(), String::new()),
            ]
            .into(),
        );
        let steps = undo(&state(), &before);
        let words = actions(&steps);
        assert_eq!(words.len(), 3, "{words:?}");
        assert!(words[0].starts_with("Unbind") && words[1].starts_with("Set"));
        assert_eq!(words[2], "Bind { to: None }");
        assert!(steps.iter().all(|step| step.class == Class::Rebind));
        // One that had no driver, and one that somebody else's had.
        before.given.clear();
        before.drivers = [(0, None), (1, Some("vfio-pci".to_owned()))].into();
        let words = actions(&undo(&state(), &before));
        assert!(words[0].starts_with("Unbind") && words[1].starts_with("Unbind"));
        assert!(
            words[2].contains("vfio-pci") && words.len() == 3,
            "{words:?}"
        );
    }
}

//! The steps of one PF, up to the drivers of its VFs, and the way back for what must not stay.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::crew::Purpose;
use super::turn::Turn;
use super::{Event, Failed, StepError, Watcher, failed};
use crate::kernel::{FileError, Host, bounded};
use crate::netdev::interface;
use crate::pci::{function, msix};
use crate::provision::given;
use crate::provision::journal::{self, Originals};
use crate::provision::observed::PfState;
use crate::provision::plan::{Action, Step, Target};
use crate::sriov::binding::Job;
use crate::sriov::change::ChangeError;
use crate::sriov::count::{self, Probing};
use crate::sriov::giving::{self, Gift};
use crate::sriov::pf::Pf;
use crate::sriov::{eswitch, ipoib, uplink};
use crate::types::PciAddr;

/// How long the kernel may take over a number of VFs: what the driver of a PF does for each, and
/// what it waits for once.
const ONCE: Duration = Duration::from_secs(60);
const EACH: Duration = Duration::from_secs(2);

/// A PF, and what is to be done to it.
pub(super) struct Work<'a> {
    pub host: &'a Host,
    pub state: &'a PfState,
    pub steps: Vec<&'a Step>,
    pub wait: Duration,
    /// VFs, of other PFs too, that are given something else in this apply.
    pub changing: &'a BTreeSet<PciAddr>,
    /// For what goes over network interfaces.
    pub turn: &'a Turn,
    /// What it is for.
    pub purpose: Purpose,
    pub watcher: &'a dyn Watcher,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    pub done: Vec<Step>,
    pub failed: Vec<Failed>,
    /// The drivers that are left to be bound.
    pub drivers: Vec<Step>,
}

impl Work<'_> {
    /// Everything but the drivers.
    pub(super) fn prepare(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let pf = Target::Pf(self.state.pf.address);
        if let Err(error) = self.record() {
            outcome.failed.push(failed(pf, None, error.into()));
            return outcome;
        }
        let mut now = self.state.pf.clone();
        let mut spoilt = Vec::new();
        let mut rest = &self.steps[..];
        while let Some((step, behind)) = rest.split_first() {
            rest = behind;
            let done = match (&step.action, step.target) {
                (Action::Set { .. }, _) => {
                    let is_set = |step: &&&Step| matches!(step.action, Action::Set { .. });
                    let more = behind.iter().take_while(is_set).count();
                    let sets = &self.steps[self.steps.len() - behind.len() - 1..][..=more];
                    rest = &behind[more..];
                    match self.give(&now, sets, &mut outcome) {
                        Some(without) => spoilt.extend(without),
                        None => break,
                    }
                    continue;
                }
                (Action::Bind { .. }, Target::Vf(_, index)) => {
                    // One that goes by a wrong address is worse than one without a driver.
                    if !spoilt.contains(&index) {
                        outcome.drivers.push((*step).clone());
                    }
                    continue;
                }
                (Action::Unbind { .. }, Target::Vf(_, index)) if spoilt.contains(&index) => {
                    continue;
                }
                (Action::Unbind { .. }, Target::Vf(_, index)) => self.unbind(&now, index),
                (Action::SetMsix { to, .. }, Target::Vf(_, index)) => self.share(&now, index, *to),
                (action, _) => self.whole(&mut now, action),
            };
            let ok = done.is_ok();
            self.took(&mut outcome, step, done);
            // VFs that lost their drivers for these get them back, come what may.
            let is_alone = matches!(
                step.action,
                Action::SetEswitch { .. } | Action::SetMsix { .. }
            );
            if !ok && !is_alone {
                break;
            }
        }
        if !outcome.failed.is_empty() {
            self.let_drivers_come(&outcome);
        }
        outcome
    }

    fn took(&self, outcome: &mut Outcome, step: &Step, done: Result<(), StepError>) {
        match done {
            Ok(()) => {
                self.watcher.tell(Event::Done(step));
                outcome.done.push(step.clone());
            }
            Err(error) => {
                self.watcher.tell(Event::Failed(step));
                let action = Some(step.action.clone());
                outcome.failed.push(failed(step.target, action, error));
            }
        }
    }

    /// What the PF has goes on record before it is changed.
    fn record(&self) -> Result<(), FileError> {
        if self.purpose == Purpose::Back {
            return self.record_back();
        }
        let state = self.state;
        let mut originals = Originals::of(self.host, state.probing, state.pf.vfs.len())?;
        for step in &self.steps {
            if let Action::SetEswitch { from, .. } = step.action {
                originals.eswitch = from.map(|from| from.to_string());
            }
            let Target::Vf(_, index) = step.target else {
                originals.brought_up |= step.action == Action::BringUp;
                continue;
            };
            match &step.action {
                Action::Set {
                    from: Some(from), ..
                } => {
                    let (key, value) = given::words(*from);
                    let of_vf = originals.given.entry(index).or_default();
                    of_vf.insert(key.to_owned(), value);
                }
                Action::SetMsix {
                    from: Some(from), ..
                } => {
                    originals.vectors.insert(index, *from);
                }
                Action::Unbind { from } => {
                    originals.drivers.insert(index, Some(from.clone()));
                }
                Action::Bind { .. } => {
                    originals.drivers.entry(index).or_insert(None);
                }
                _ => {}
            }
        }
        let address = state.pf.address;
        let earlier = journal::read(self.host, address)?;
        originals.after(earlier).write(self.host, address)
    }

    /// A driver that is taken for a moment has to be there again, whatever happens in between.
    fn record_back(&self) -> Result<(), FileError> {
        let address = self.state.pf.address;
        let Some(mut originals) = journal::read(self.host, address)? else {
            return Ok(());
        };
        for step in &self.steps {
            if let (Target::Vf(_, index), Action::Unbind { from }) = (step.target, &step.action) {
                let driver = originals.drivers.entry(index);
                driver.or_insert_with(|| Some(from.clone()));
            }
        }
        originals.write(self.host, address)
    }

    /// Notes that nothing is half done any more.
    pub(super) fn end(&self) -> Result<(), FileError> {
        if self.purpose == Purpose::Back {
            return Ok(());
        }
        let address = self.state.pf.address;
        let Some(mut originals) = journal::read(self.host, address)? else {
            return Ok(());
        };
        originals.ended = true;
        originals.write(self.host, address)
    }

    /// One step of the PF itself.
    fn whole(&self, now: &mut Pf, action: &Action) -> Result<(), StepError> {
        match action {
            Action::BringUp => self.turn.step(|| self.switch(true)),
            Action::BringDown => self.turn.step(|| self.switch(false)),
            Action::Probing { to } => self.probing(*to),
            Action::Remove { .. } => {
                *now = count::destroy(self.host, now, self.patience(now.vfs.len()))?;
                Ok(())
            }
            Action::Create { to } => {
                let limit = self.patience(usize::from(*to));
                *now = count::create(self.host, now, *to, Probing::AsSet, limit)?;
                Ok(())
            }
            Action::SetEswitch { to, .. } => {
                Ok(eswitch::set(self.host, self.state.pf.address, *to)?)
            }
            // The planner gives a PF no other steps.
            _ => Ok(()),
        }
    }

    fn patience(&self, vfs: usize) -> Duration {
        ONCE.max(self.wait) + EACH * u32::try_from(vfs).unwrap_or(u32::MAX / 4)
    }

    /// The interface of the PF, on or off.
    fn switch(&self, up: bool) -> Result<(), StepError> {
        let host = self.host;
        // With its module just loaded, the interface may be on its way.
        let uplink = ipoib::appearance(host, self.state.pf.address, false)?;
        let uplink = uplink.ok_or(StepError::NoUplink)?;
        let index = uplink.index;
        let outcome = uplink.speak(host, |conn| {
            let link = interface::with_index(conn, index)?;
            let link = link.ok_or(StepError::NoUplink)?;
            interface::set_up(conn, &link, up)?;
            let now = interface::with_index(conn, index)?;
            let is_so = now.is_some_and(|now| now.up == up);
            is_so.then_some(()).ok_or(StepError::NotSo)
        });
        outcome?
    }

    fn probing(&self, to: bool) -> Result<(), StepError> {
        let address = self.state.pf.address;
        let file = function::folder(address).join("sriov_drivers_autoprobe");
        let value = if to { "1" } else { "0" };
        bounded::write(self.host.sysfs(), file, value, ONCE)?;
        match count::is_probing(self.host.sysfs(), address)? == to {
            true => Ok(()),
            false => Err(StepError::NotSo),
        }
    }

    /// After a failure the PF must not be left keeping drivers away, unless its owner wants that.
    fn let_drivers_come(&self, outcome: &Outcome) {
        let of_kernel =
            |failed: &Failed| failed.error.is_stuck() || matches!(failed.error, StepError::Behind);
        if outcome.failed.iter().any(of_kernel) {
            // VFs may come yet, and none must have a driver before its address. That drivers are
            // to come again is on record.
            return;
        }
        let was = self.state.probing || self.state.left_off;
        let is = count::is_probing(self.host.sysfs(), self.state.pf.address);
        if was && is.is_ok_and(|is| !is) {
            // What failed first is what is told; the record of the original stays.
            let _ = self.probing(true);
        }
    }

    /// Gives VFs their settings, and says which have not got theirs; `None` when the kernel does not come back.
    fn give(&self, now: &Pf, sets: &[&Step], outcome: &mut Outcome) -> Option<Vec<u16>> {
        let mut gifts: Vec<Gift> = Vec::new();
        for step in sets {
            let (Target::Vf(_, index), Action::Set { to, .. }) = (step.target, &step.action) else {
                continue;
            };
            let Some(vf) = now.vf(index) else { continue };
            match gifts.last_mut() {
                Some((last, settings)) if *last == vf => settings.push(*to),
                _ => gifts.push((vf, vec![*to])),
            }
        }
        let given = self.turn.take(|| {
            if uplink::find(self.host, now.address).is_ok_and(|found| found.is_none()) {
                // It may be on its way; who gives says what is wrong otherwise.
                let _ = ipoib::appearance(self.host, now.address, false);
            }
            let given = giving::give(self.host, now, &gifts, self.changing, self.wait);
            let is_stuck = given.is_err();
            (given, is_stuck)
        });
        let outcomes = match given {
            Some(Ok(outcomes)) => outcomes,
            Some(Err(stuck)) => {
                let vf = Target::Vf(now.address, stuck.vf.index);
                let is_it = |step: &&&Step| {
                    let to = stuck.setting;
                    step.target == vf
                        && matches!(step.action, Action::Set { to: given, .. } if given == to)
                };
                let culprit = sets.iter().find(is_it).or(sets.first());
                let error = StepError::Change(ChangeError::Failed(stuck));
                if let Some(step) = culprit {
                    self.took(outcome, step, Err(error));
                }
                return None;
            }
            None => {
                if let Some(step) = sets.first() {
                    self.took(outcome, step, Err(StepError::Behind));
                }
                return None;
            }
        };
        let mut spoilt = Vec::new();
        for ((vf, _), given) in gifts.iter().zip(outcomes) {
            let target = Target::Vf(now.address, vf.index);
            let of_vf: Vec<_> = sets.iter().filter(|step| step.target == target).collect();
            let Err(error) = given else {
                for step in of_vf {
                    self.took(outcome, step, Ok(()));
                }
                continue;
            };
            spoilt.push(vf.index);
            // It fails once, with the setting that was refused.
            let culprit = of_vf.iter().find(|step| is_culprit(&error, &step.action));
            match culprit.or(of_vf.first()) {
                Some(step) => self.took(outcome, step, Err(error.into())),
                None => outcome.failed.push(failed(target, None, error.into())),
            }
        }
        Some(spoilt)
    }

    fn unbind(&self, now: &Pf, index: u16) -> Result<(), StepError> {
        let Some(vf) = now.vf(index) else {
            return Err(StepError::NotSo);
        };
        let deadline = Instant::now() + self.patience(1);
        let job = Job {
            host: self.host,
            pf: now,
            vf,
            deadline,
        };
        job.unbind()?;
        Ok(())
    }
}

impl Work<'_> {
    /// Gives a VF its part of the interrupt vectors; the kernel takes no number while it has a
    /// driver (drivers/pci/iov.c).
    fn share(&self, now: &Pf, index: u16, to: u16) -> Result<(), StepError> {
        let vf = now.vf(index).ok_or(StepError::NotSo)?;
        let file = function::folder(vf.address).join("sriov_vf_msix_count");
        let sysfs = self.host.sysfs();
        bounded::write(sysfs, file, &to.to_string(), ONCE)
            .map_err(|source| StepError::Vectors { to, source })?;
        match msix::vectors(sysfs, vf.address)? {
            Some(has) if has != to => Err(StepError::NotSo),
            _ => Ok(()),
        }
    }
}

fn is_culprit(error: &ChangeError, action: &Action) -> bool {
    match (error, action) {
        (ChangeError::Failed(failed), Action::Set { to, .. }) => failed.setting == *to,
        _ => false,
    }
}

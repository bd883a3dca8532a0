//! `Crew`: the steps of several PFs, all at once, then drivers for their VFs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::turn::Turn;
use super::{Applied, Order, Watcher, drivers, failed, firmware, pf, take};
use crate::kernel::{Host, Lock, LockError, bounded, threads};
use crate::provision::observed::PfState;
use crate::provision::plan::{Action, Class, Step, Target};
use crate::rdma::lease::locks;
use crate::types::{DeviceId, PciAddr};

/// What the steps are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// What is declared; what was there before goes on record.
    Forward,
    /// What was there before.
    Back,
}

/// What works on PFs.
pub(super) struct Crew<'a> {
    pub host: &'a Host,
    pub order: &'a Order,
    /// For devices to come.
    pub wait: Duration,
    pub purpose: Purpose,
    pub watcher: &'a dyn Watcher,
}

impl Crew<'_> {
    /// Does the steps of these PFs, except of those that have failed already.
    pub(super) fn work(&self, states: &[&PfState], steps: &[Step], applied: &mut Applied) {
        // One after the other: PFs of one card share its firmware.
        for state in states {
            self.firmware(state, steps, applied);
        }
        let changing = self.changing(states, steps);
        let kept = bounded::keep(self.host.sysfs());
        let turn = Turn::default();
        let works: Vec<pf::Work<'_>> = states
            .iter()
            .filter_map(|state| self.of_one(state, steps, &changing, &turn, applied))
            .collect();
        let mut vf_locks = Vec::new();
        let mut begun = Vec::new();
        for work in &works {
            match vfs_locked(self.host, work) {
                Ok(locks) => {
                    vf_locks.extend(locks);
                    begun.push(work);
                }
                Err(error) => {
                    let target = Target::Pf(work.state.pf.address);
                    applied.failed.push(failed(target, None, error.into()));
                }
            }
        }
        // The PFs of one card share its firmware: one after the other.
        let mut cards: BTreeMap<PciAddr, Vec<&pf::Work<'_>>> = BTreeMap::new();
        for work in begun {
            let card = cards.entry(work.state.pf.address.first());
            card.or_default().push(work);
        }
        let cards: Vec<Vec<&pf::Work<'_>>> = cards.into_values().collect();
        let prepare = |works: &Vec<&pf::Work<'_>>| -> Vec<pf::Outcome> {
            works.iter().map(|work| work.prepare()).collect()
        };
        let outcomes = threads::each(&cards, prepare).into_iter().flatten();
        let outcomes: Vec<_> = cards.iter().flatten().copied().zip(outcomes).collect();
        let mut jobs = Vec::new();
        for (work, outcome) in outcomes {
            applied.done.extend(outcome.done);
            applied.failed.extend(outcome.failed);
            jobs.extend(outcome.drivers.into_iter().map(|step| (work, step)));
        }
        if applied.is_netlink_stuck() {
            // A driver that makes an interface waits for the same, and so do we behind it.
            return;
        }
        drivers::bind(self, &jobs, &kept, applied);
        for work in cards.iter().flatten() {
            let target = Target::Pf(work.state.pf.address);
            if !has_failed(applied, work.state)
                && let Err(error) = work.end()
            {
                applied.failed.push(failed(target, None, error.into()));
            }
        }
    }

    fn firmware(&self, state: &PfState, steps: &[Step], applied: &mut Applied) {
        let pf = state.pf.address;
        let own = steps.iter().filter(|step| step.target.pf() == Some(pf));
        let meant = own.filter(|step| self.order.does(step));
        let sets: Vec<&Step> = meant
            .filter(|step| firmware::change(step).is_some())
            .collect();
        if sets.is_empty() || has_failed(applied, state) {
            return;
        }
        let mut outcome = firmware::set(self.host, pf, &sets);
        for step in sets {
            let failed = outcome.is_err();
            let of_step = std::mem::replace(&mut outcome, Ok(()));
            take(applied, self.watcher, step, of_step);
            if failed {
                return;
            }
        }
    }

    /// The VFs that are there and will go by something else, or not be there any more.
    fn changing(&self, states: &[&PfState], steps: &[Step]) -> BTreeSet<PciAddr> {
        let steps = steps.iter().filter(|step| self.order.does(step));
        let of_step = |step: &Step| {
            let pf = step.target.pf()?;
            let state = states.iter().find(|state| state.pf.address == pf)?;
            let vfs = state.pf.vfs.iter();
            let changes = |index| match (&step.action, step.target) {
                (Action::Remove { .. }, _) => true,
                (Action::Set { .. }, Target::Vf(_, own)) => own == index,
                _ => false,
            };
            let vfs = vfs.filter(|vf| changes(vf.index));
            Some(vfs.map(|vf| vf.address).collect::<Vec<_>>())
        };
        steps.filter_map(of_step).flatten().collect()
    }

    /// The work on one PF, if there is any.
    fn of_one<'a>(
        &'a self,
        state: &'a PfState,
        steps: &'a [Step],
        changing: &'a BTreeSet<PciAddr>,
        turn: &'a Turn,
        applied: &Applied,
    ) -> Option<pf::Work<'a>> {
        let pf = state.pf.address;
        let own = steps.iter().filter(|step| step.target.pf() == Some(pf));
        let meant = own.filter(|step| self.order.does(step));
        let steps: Vec<&Step> = meant
            .filter(|step| firmware::change(step).is_none())
            .collect();
        // What has to be removed by now had not when it was asked about.
        let removes = steps.iter().any(|step| step.class == Class::DestroysVfs);
        if steps.is_empty() || removes && !self.order.removes || has_failed(applied, state) {
            return None;
        }
        Some(pf::Work {
            host: self.host,
            state,
            steps,
            wait: self.wait,
            changing,
            turn,
            purpose: self.purpose,
            watcher: self.watcher,
        })
    }
}

fn has_failed(applied: &Applied, state: &PfState) -> bool {
    let mut failed = applied.failed.iter();
    failed.any(|failed| failed.target.pf() == Some(state.pf.address))
}

/// Everybody else is kept off VFs that lose something.
fn vfs_locked(host: &Host, work: &pf::Work<'_>) -> Result<Vec<Lock>, LockError> {
    let pf = work.state.pf.address;
    let is_removal = |step: &&Step| matches!(step.action, Action::Remove { .. });
    let all = work.steps.iter().any(is_removal);
    let touched = |index| {
        let mut steps = work.steps.iter();
        all || steps.any(|step| step.target == Target::Vf(pf, index))
    };
    let vfs = work.state.pf.vfs.iter().filter(|vf| touched(vf.index));
    vfs.map(|vf| locks::device(host, &DeviceId::Pci(vf.address)))
        .collect()
}

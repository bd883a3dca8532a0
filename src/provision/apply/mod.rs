//! Doing what a plan says: the host first, then all PFs at once, each on its own, then drivers.

mod crew;
mod drivers;
mod error;
mod firmware;
mod host;
mod interface_names;
mod naming;
mod order;
mod pace;
mod pf;
mod progress;
mod shown;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::document::{Document, Firmware};
use super::look::{self, LookError};
use super::observed::{Found, Observed, PfState};
use super::plan::{Action, Class, Step, Target};
use super::{journal, rollback};
use crate::kernel::lock::Lifetime;
use crate::kernel::{Host, Lock, LockError};
use crate::pci::appearance::Ears;
use crate::sriov::lock;
use crate::types::PciAddr;
use crew::{Crew, Purpose};

pub use error::StepError;
pub use order::{Applied, ApplyError, Failed, Order};
pub use progress::{Event, Watcher};

const LOCK: &str = "/run/rdmactl/provision.lock";

/// How long a PF that another command works on is waited for.
const PF_PATIENCE: Duration = Duration::from_secs(10);

/// A look for what is not there yet, without any sign of it: not all that matters is announced.
const PATROL: Duration = Duration::from_secs(1);

/// The lock of everything that applies or takes back.
///
/// # Errors
/// [`LockError`].
pub fn locked(host: &Host, patience: Duration) -> Result<Lock, LockError> {
    Lock::acquire(host, LOCK, patience, Lifetime::Removed)
}

/// Makes the host what the document declares.
///
/// # Errors
/// [`ApplyError`]; nothing was done then. What fails later is in [`Applied`].
pub fn apply(
    host: &Host,
    document: &Document,
    order: &Order,
    watcher: &dyn Watcher,
) -> Result<Applied, ApplyError> {
    let _lock = locked(host, order.patience)?;
    let deadline = Instant::now() + document.policy.wait;
    let (observed, plan) = look::planned(host, document)?;
    order.is_listed(&observed)?;
    let mut applied = Applied::default();
    let on_record = journal::all(host).map_err(LookError::from)?;
    let mut records = on_record.iter().map(|(_, originals)| originals);
    let does_any = plan.steps.iter().any(|step| order.does(step)) || order.late(&plan) > 0;
    if !does_any && records.all(|originals| !originals.is_being_named) {
        applied.left = order.meant(plan);
        settle(host, document, &observed, &mut applied);
        applied.observed = Some(observed);
        close(host, order, &mut applied);
        return Ok(applied);
    }
    confirmed(order, &plan.steps)?;
    begin(order, &plan.steps, watcher);
    let of_host = plan.steps.iter().filter(|step| order.does(step));
    for step in of_host.filter(|step| step.target == Target::Host) {
        take(&mut applied, watcher, step, host::carry_out(host, step));
    }
    let crew = Crew {
        host,
        order,
        wait: document.policy.wait,
        purpose: Purpose::Forward,
        watcher,
    };
    // What modules that were just loaded make possible is for PFs to be locked, too.
    let is_as_planned = applied.done.is_empty() && applied.failed.is_empty();
    let mut first = is_as_planned.then_some(plan);
    loop {
        let plan = match first.take() {
            Some(plan) => plan,
            None => look::planned(host, document)?.1,
        };
        let _locks = pfs_locked(host, order, &plan.steps, &mut applied);
        // Nobody else of this program changes these PFs from here on: what is there now counts.
        let (observed, plan) = look::planned(host, document)?;
        let states: Vec<&PfState> = observed.pfs.iter().filter_map(Found::one).collect();
        // Who came late was in no plan before.
        begin(order, &plan.steps, watcher);
        let first = applied.done.len();
        crew.work(&states, &plan.steps, &mut applied);
        applied.sort(first, &plan.steps);
        if applied.is_netlink_stuck() {
            // No look at the host would come back.
            return Ok(applied.unlooked(order, plan));
        }
        // Who is there does not wait for who is late, or comes with a module that was just loaded.
        if !arrived(host, document, order, watcher, order.late(&plan), deadline)? {
            break;
        }
    }
    let (observed, left) = look::planned(host, document)?;
    applied.is_late = order.late(&left) > 0;
    applied.left = order.meant(left);
    settle(host, document, &observed, &mut applied);
    applied.observed = Some(observed);
    close(host, order, &mut applied);
    Ok(applied)
}

/// Forgets settings of firmware that have come.
fn settle(host: &Host, document: &Document, observed: &Observed, applied: &mut Applied) {
    if document.policy.firmware != Firmware::Write {
        return;
    }
    for state in observed.pfs.iter().filter_map(Found::one) {
        let pf = state.pf.address;
        let mut troubles = applied.left.troubles.iter();
        if troubles.any(|trouble| trouble.pf == Some(pf)) {
            continue;
        }
        if let Err(error) = firmware::settle(host, pf, &applied.left.steps) {
            let target = Target::Pf(pf);
            applied.failed.push(failed(target, None, error.into()));
        }
    }
}

/// Closes the records of PFs to which nothing is left to do: an autoprobe that is switched off from
/// here on is somebody's wish.
fn close(host: &Host, order: &Order, applied: &mut Applied) {
    for (pf, mut originals) in journal::all(host).unwrap_or_default() {
        let mut steps = applied.left.steps.iter();
        let is_left = steps.any(|step| step.target.pf() == Some(pf));
        if originals.ended || originals.is_being_named || is_left || !order.means_pf(pf) {
            continue;
        }
        originals.ended = true;
        if let Err(error) = originals.write(host, pf) {
            let target = Target::Pf(pf);
            applied.failed.push(failed(target, None, error.into()));
        }
    }
}

/// Takes back what applies of this boot did, as far as that is on record and nobody uses it.
///
/// # Errors
/// [`ApplyError`]; nothing was done then. What fails later is in [`Applied`].
pub fn roll_back(
    host: &Host,
    order: &Order,
    wait: Duration,
    watcher: &dyn Watcher,
) -> Result<Applied, ApplyError> {
    let _lock = locked(host, order.patience)?;
    let mut applied = Applied::default();
    let (_, steps) = rollback::planned(host)?;
    confirmed(order, &steps)?;
    begin(order, &steps, watcher);
    let of_host = steps.iter().filter(|step| order.does(step));
    for step in of_host.filter(|step| step.target == Target::Host) {
        take(&mut applied, watcher, step, host::take_back(host, step));
    }
    let _locks = pfs_locked(host, order, &steps, &mut applied);
    let (states, steps) = rollback::planned(host)?;
    let crew = Crew {
        host,
        order,
        wait,
        purpose: Purpose::Back,
        watcher,
    };
    crew.work(&states.iter().collect::<Vec<_>>(), &steps, &mut applied);
    if applied.is_netlink_stuck() {
        return Ok(applied.unlooked(order, steps.into()));
    }
    let (states, steps) = rollback::planned(host)?;
    let steps = order.meant(steps.into()).steps;
    for state in &states {
        let pf = state.pf.address;
        let is_left = steps.iter().any(|step| step.target.pf() == Some(pf));
        if order.means_pf(pf)
            && !is_left
            && let Err(error) = journal::forget(host, pf)
        {
            applied
                .failed
                .push(failed(Target::Pf(pf), None, error.into()));
        }
    }
    applied.left.steps = steps;
    Ok(applied)
}

/// Nothing is removed that was not allowed on the command line too.
fn confirmed(order: &Order, steps: &[Step]) -> Result<(), ApplyError> {
    let removes = |step: &&Step| step.class == Class::DestroysVfs;
    let meant = steps.iter().filter(|step| order.does(step));
    let removing: Vec<Step> = meant.filter(removes).cloned().collect();
    match removing.is_empty() || order.removes {
        true => Ok(()),
        false => Err(ApplyError::Unconfirmed(removing)),
    }
}

fn begin(order: &Order, steps: &[Step], watcher: &dyn Watcher) {
    let meant = steps.iter().filter(|step| order.does(step));
    watcher.tell(Event::Begins(&meant.collect::<Vec<_>>()));
}

/// The locks of all PFs with steps; one that somebody else works on has failed.
fn pfs_locked(host: &Host, order: &Order, steps: &[Step], applied: &mut Applied) -> Vec<Lock> {
    let meant = steps.iter().filter(|step| order.does(step));
    let pfs: BTreeSet<PciAddr> = meant.filter_map(|step| step.target.pf()).collect();
    let mut locks = Vec::new();
    for pf in pfs {
        let mut earlier = applied.failed.iter();
        if earlier.any(|failed| failed.target.pf() == Some(pf)) {
            continue;
        }
        match lock::pf(host, pf, PF_PATIENCE) {
            Ok(lock) => locks.push(lock),
            Err(error) => {
                let target = Target::Pf(pf);
                applied.failed.push(failed(target, None, error.into()));
            }
        }
    }
    locks
}

/// Looks until fewer than `before` things are missing that may still come; whether it came to that.
fn arrived(
    host: &Host,
    document: &Document,
    order: &Order,
    watcher: &dyn Watcher,
    before: usize,
    deadline: Instant,
) -> Result<bool, LookError> {
    if before == 0 {
        return Ok(false);
    }
    let mut ears = Ears::open(host);
    let mut is_told = false;
    loop {
        let (_, plan) = look::planned(host, document)?;
        if order.late(&plan) < before {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        if !std::mem::replace(&mut is_told, true) {
            let late = order.meant(plan).troubles;
            for trouble in late.iter().filter(|each| each.problem.may_pass()) {
                watcher.tell(Event::Waits(trouble, left));
            }
        }
        ears.rest(left.min(PATROL));
    }
}

fn failed(target: Target, action: Option<Action>, error: StepError) -> Failed {
    Failed {
        target,
        action,
        error,
    }
}

/// Notes what came of a step.
fn take(applied: &mut Applied, watcher: &dyn Watcher, step: &Step, outcome: Result<(), StepError>) {
    match outcome {
        Ok(()) => {
            watcher.tell(Event::Done(step));
            applied.done.push(step.clone());
        }
        Err(error) => {
            watcher.tell(Event::Failed(step));
            applied
                .failed
                .push(failed(step.target, Some(step.action.clone()), error));
        }
    }
}

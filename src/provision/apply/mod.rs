//! Doing what a plan says: the host first, then all PFs at once, each on its own, then drivers.

mod drivers;
mod error;
mod host;
mod naming;
mod order;
mod pf;
mod progress;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use super::document::Document;
use super::look::{self, LookError};
use super::observed::{Found, Observed, PfState};
use super::plan::{Action, Class, Plan, Step, Target};
use crate::kernel::lock::Lifetime;
use crate::kernel::{Host, Lock, LockError};
use crate::rdma::lease::locks;
use crate::sriov::lock;
use crate::types::{DeviceId, PciAddr};

pub use error::StepError;
pub use order::{Applied, ApplyError, Failed, Order};
pub use progress::{Event, Watcher};

const LOCK: &str = "/run/rdmactl/provision.lock";

/// How long a PF that another command works on is waited for.
const PF_PATIENCE: Duration = Duration::from_secs(10);

/// Longest time between two looks for a PF that is not there yet.
const PATROL: Duration = Duration::from_millis(200);

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
    let (_, plan) = arrived(host, document, order, deadline)?;
    let mut applied = Applied::default();
    let mine = |step: &&Step| order.means(step);
    if !order.removes {
        let removes = |step: &&Step| step.class == Class::DestroysVfs && step.blocked.is_none();
        let removing: Vec<Step> = plan
            .steps
            .iter()
            .filter(mine)
            .filter(removes)
            .cloned()
            .collect();
        if !removing.is_empty() {
            return Err(ApplyError::Unconfirmed(removing));
        }
    }
    watcher.tell(Event::Begins(
        plan.steps
            .iter()
            .filter(mine)
            .filter(|step| step.blocked.is_none())
            .count(),
    ));
    let of_host = plan
        .steps
        .iter()
        .filter(mine)
        .filter(|step| step.target == Target::Host);
    for step in of_host.filter(|step| step.blocked.is_none()) {
        take(&mut applied, watcher, step, host::carry_out(host, step));
    }
    let mut pfs: Vec<PciAddr> = Vec::new();
    for pf in plan
        .steps
        .iter()
        .filter(mine)
        .filter_map(|step| step.target.pf())
    {
        if !pfs.contains(&pf) {
            pfs.push(pf);
        }
    }
    let mut locks = Vec::new();
    pfs.retain(|pf| match lock::pf(host, *pf, PF_PATIENCE) {
        Ok(lock) => {
            locks.push(lock);
            true
        }
        Err(error) => {
            applied
                .failed
                .push(failed(Target::Pf(*pf), None, error.into()));
            false
        }
    });
    // Nobody else of this program changes these PFs from here on: what is there now counts.
    let (observed, plan) = look::planned(host, document)?;
    on_pfs(
        host,
        document,
        &observed,
        &plan,
        &pfs,
        watcher,
        &mut applied,
    );
    drop(locks);
    let (_, left) = look::planned(host, document)?;
    applied.left = order.meant(left);
    Ok(applied)
}

/// Looks until every PF that must be there is, and has its driver.
fn arrived(
    host: &Host,
    document: &Document,
    order: &Order,
    deadline: Instant,
) -> Result<(Observed, Plan), LookError> {
    loop {
        let (observed, plan) = look::planned(host, document)?;
        let both = document.pfs.iter().zip(&observed.pfs);
        let is_late = both.into_iter().any(|(entry, found)| match found {
            Found::Nothing => !entry.optional && order.only.is_none(),
            Found::One(state) => state.driver.is_none(),
            Found::Several(_) => false,
        });
        if !is_late || Instant::now() >= deadline {
            return Ok((observed, plan));
        }
        thread::sleep(PATROL);
    }
}

/// The PFs at once, then drivers for their VFs.
fn on_pfs(
    host: &Host,
    document: &Document,
    observed: &Observed,
    plan: &Plan,
    pfs: &[PciAddr],
    watcher: &dyn Watcher,
    applied: &mut Applied,
) {
    let states: BTreeMap<PciAddr, &PfState> = observed
        .pfs
        .iter()
        .filter_map(|found| match found {
            Found::One(state) => Some((state.pf.address, &**state)),
            _ => None,
        })
        .collect();
    let works: Vec<pf::Work<'_>> = pfs
        .iter()
        .filter_map(|address| {
            let steps = plan
                .steps
                .iter()
                .filter(|step| step.target.pf() == Some(*address));
            let steps: Vec<&Step> = steps.filter(|step| step.blocked.is_none()).collect();
            let state = states.get(address).filter(|_| !steps.is_empty())?;
            Some(pf::Work {
                host,
                state,
                steps,
                wait: document.policy.wait,
                watcher,
            })
        })
        .collect();
    let mut vf_locks = Vec::new();
    let mut begun = Vec::new();
    for work in &works {
        match vfs_locked(host, work) {
            Ok(locks) => {
                vf_locks.extend(locks);
                begun.push(work);
            }
            Err(error) => applied.failed.push(failed(
                Target::Pf(work.state.pf.address),
                None,
                error.into(),
            )),
        }
    }
    let outcomes: Vec<pf::Outcome> = thread::scope(|scope| {
        let threads: Vec<_> = begun
            .iter()
            .map(|work| scope.spawn(|| work.prepare()))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let mut jobs = Vec::new();
    for (work, outcome) in begun.iter().zip(outcomes) {
        applied.done.extend(outcome.done);
        applied.failed.extend(outcome.failed);
        jobs.extend(outcome.drivers.into_iter().map(|step| (*work, step)));
    }
    drivers::bind(host, &jobs, document.policy.wait, watcher, applied);
    for work in begun {
        let address = work.state.pf.address;
        let is_whole = !applied
            .failed
            .iter()
            .any(|failed| failed.target.pf() == Some(address));
        if is_whole && let Err(error) = work.end() {
            applied
                .failed
                .push(failed(Target::Pf(address), None, error.into()));
        }
    }
}

/// Everybody else is kept off VFs that lose something.
fn vfs_locked(host: &Host, work: &pf::Work<'_>) -> Result<Vec<Lock>, LockError> {
    let all = work
        .steps
        .iter()
        .any(|step| matches!(step.action, Action::Remove { .. }));
    let touched = |index: u16| {
        all || work
            .steps
            .iter()
            .any(|step| step.target == Target::Vf(work.state.pf.address, index))
    };
    let vfs = work.state.pf.vfs.iter().filter(|vf| touched(vf.index));
    vfs.map(|vf| locks::device(host, &DeviceId::Pci(vf.address)))
        .collect()
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

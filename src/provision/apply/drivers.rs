//! Drivers for VFs: several at once, waited for together, and their RDMA devices named in order.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use super::crew::Crew;
use super::naming::{self, Naming};
use super::pace::Pace;
use super::pf::Work;
use super::shown::{Shown, put_in_order};
use super::{Applied, StepError, failed, take};
use crate::kernel::bounded::Kept;
use crate::kernel::{Host, Sysfs, threads};
use crate::pci::appearance::{Ears, Equipment};
use crate::pci::driver::Offer;
use crate::provision::journal;
use crate::provision::plan::{Action, Step, Target};
use crate::sriov::binding::Job;
use crate::sriov::pf::{self, Pf, Vf};
use crate::types::{DriverName, PciAddr};

/// A driver waits for its firmware most of the time; more at once than this do not make a PF
/// answer faster.
const AT_ONCE: usize = 16;

/// A VF and its driver.
struct Task<'a> {
    step: &'a Step,
    vf: Vf,
    driver: Option<&'a DriverName>,
    pf: &'a Pf,
    expected: Equipment,
}

/// Binds all of them. The kernel numbers RDMA devices as their drivers start: where nobody else
/// names them, they get their numbers by VF afterwards.
pub(super) fn bind(
    crew: &Crew<'_>,
    jobs: &[(&Work<'_>, Step)],
    kept: &Kept<'_>,
    applied: &mut Applied,
) {
    let (host, watcher) = (crew.host, crew.watcher);
    let mut pfs: BTreeMap<PciAddr, (Pf, Equipment)> = BTreeMap::new();
    for (work, step) in jobs {
        let address = work.state.pf.address;
        if pfs.contains_key(&address) {
            continue;
        }
        let now = pf::read(host.sysfs(), address);
        match (now, Equipment::of(host.sysfs(), address)) {
            (Ok(Some(now)), Ok(expected)) => {
                // What works has what its PF has.
                let expected = Equipment {
                    driver: true,
                    ..expected
                };
                pfs.insert(address, (now, expected));
            }
            (Err(error), _) | (_, Err(error)) => {
                take(applied, watcher, step, Err(error.into()));
            }
            (Ok(None), _) => take(applied, watcher, step, Err(StepError::NotSo)),
        }
    }
    let mut tasks: Vec<Task<'_>> = jobs
        .iter()
        .filter_map(|(_, step)| {
            let Target::Vf(address, index) = step.target else {
                return None;
            };
            let (pf, expected) = pfs.get(&address)?;
            let Action::Bind { to } = &step.action else {
                return None;
            };
            let hands_on = to.as_ref().is_some_and(DriverName::takes_anything);
            let only_driver = Equipment {
                driver: true,
                ..Equipment::default()
            };
            Some(Task {
                step,
                vf: pf.vf(index)?,
                driver: to.as_ref(),
                pf,
                expected: if hands_on { only_driver } else { *expected },
            })
        })
        .collect();
    let deadline = Instant::now() + crew.wait;
    let naming = naming::of(host);
    // A PF that keeps drivers away is opened for one VF at a time.
    let is_open = jobs
        .iter()
        .all(|(work, _)| work.state.probing || work.state.left_off);
    let workers = if is_open { AT_ONCE.min(tasks.len()) } else { 1 };
    let orders = workers > 1 && naming == Naming::Nobody;
    for address in pfs.keys().filter(|_| orders) {
        // Whoever comes after a kill puts them in order.
        if let Err(error) = journal::set_being_named(host, *address, true) {
            let target = Target::Pf(*address);
            applied.failed.push(failed(target, None, error.into()));
            tasks.retain(|task| task.pf.address != *address);
        }
    }
    let ears = Ears::open(host);
    let mut outcomes = all(host, &tasks, workers, kept, deadline);
    await_rest(host.sysfs(), ears, &tasks, &mut outcomes, deadline);
    let mut bound = Vec::new();
    for (task, outcome) in tasks.iter().zip(outcomes) {
        let outcome = outcome.map(|shown| {
            if orders {
                bound.push((task.pf.address, task.vf, shown));
            }
        });
        take(applied, watcher, task.step, outcome);
    }
    if let Err((pf, error)) = put_in_order(host, bound) {
        applied.failed.push(failed(Target::Pf(pf), None, error));
    }
}

/// Waits for what drivers make a while after they have started.
fn await_rest(
    sysfs: &Sysfs,
    mut ears: Ears,
    tasks: &[Task<'_>],
    outcomes: &mut [Result<Shown, StepError>],
    deadline: Instant,
) {
    let is_pending = |(task, outcome): &(&Task<'_>, &mut Result<Shown, StepError>)| {
        let shown = outcome.as_ref().map(Shown::equipment);
        shown.is_ok_and(|shown| !task.expected.without(shown).is_nothing())
    };
    let mut pending: Vec<_> = tasks.iter().zip(outcomes).filter(is_pending).collect();
    let wanted = pending.iter();
    let wanted: Vec<_> = wanted
        .map(|(task, _)| (task.vf.address, task.expected))
        .collect();
    match ears.wait(sysfs, &wanted, deadline) {
        Ok(lacks) => {
            for (task, outcome) in pending {
                let address = task.vf.address;
                let lack = lacks.iter().find(|lack| lack.address == address);
                *outcome = match lack {
                    Some(lack) => Err(StepError::Lacks(lack.missing)),
                    None => Shown::of(sysfs, address),
                };
            }
        }
        Err(error) => {
            if let Some((_, outcome)) = pending.first_mut() {
                **outcome = Err(error.into());
            }
        }
    }
}

fn all(
    host: &Host,
    tasks: &[Task<'_>],
    workers: usize,
    kept: &Kept<'_>,
    deadline: Instant,
) -> Vec<Result<Shown, StepError>> {
    let pace = Pace::default();
    let jobs: Vec<Job<'_>> = tasks
        .iter()
        .map(|task| Job {
            host,
            pf: task.pf,
            vf: task.vf,
            deadline,
        })
        .collect();
    let ready = |at: usize| {
        let (job, task): (&Job<'_>, &Task<'_>) = (&jobs[at], &tasks[at]);
        job.offer(task.driver)
    };
    let outcomes: Mutex<BTreeMap<usize, Result<Shown, StepError>>> = Mutex::default();
    let is_waiting = || kept.is_newest_waiting(host);
    let work = |_: &usize| {
        while let Some((at, offer, begun)) = pace.next(tasks.len(), ready, is_waiting) {
            let offered = offer.map(|offer| offer.map(Offer::make));
            // The next one starts while this one is looked at.
            pace.over(begun);
            let judged = offered.and_then(|offered| match offered {
                Some(offered) => jobs[at].judge(offered),
                None => Ok(()),
            });
            let outcome = match judged {
                Ok(()) => Shown::of(host.sysfs(), tasks[at].vf.address),
                Err(error) => Err(error.into()),
            };
            if let Ok(mut outcomes) = outcomes.lock() {
                outcomes.insert(at, outcome);
            }
        }
    };
    threads::each(&(0..workers).collect::<Vec<_>>(), work);
    let mut outcomes = outcomes.into_inner().unwrap_or_default();
    let of = |at| outcomes.remove(&at).unwrap_or(Err(StepError::NotSo));
    (0..tasks.len()).map(of).collect()
}

//! Drivers for VFs: several at once, waited for together, and their RDMA devices named in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use super::crew::Crew;
use super::interface_names;
use super::naming::{self, Naming};
use super::pace::Pace;
use super::pf::Work;
use super::{Applied, StepError, failed, take};
use crate::kernel::Host;
use crate::kernel::bounded::Kept;
use crate::pci::appearance::{Ears, Equipment};
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
    let mut ears = Ears::open(host);
    let mut outcomes = all(host, &tasks, workers, kept, deadline);
    let wanted: Vec<_> = tasks
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| outcome.is_ok())
        .map(|(task, _)| (task.vf.address, task.expected))
        .collect();
    match ears.wait(host.sysfs(), &wanted, deadline) {
        Ok(lacks) => {
            for lack in lacks {
                let at = tasks
                    .iter()
                    .position(|task| task.vf.address == lack.address);
                if let Some(at) = at {
                    outcomes[at] = Err(StepError::Lacks(lack.missing));
                }
            }
        }
        Err(error) => {
            if let Some(first) = outcomes.first_mut() {
                *first = Err(error.into());
            }
        }
    }
    let both = tasks.iter().zip(&outcomes);
    let bound: Vec<(PciAddr, Vf)> = both
        .filter(|(_, outcome)| orders && outcome.is_ok())
        .map(|(task, _)| (task.pf.address, task.vf))
        .collect();
    for (task, outcome) in tasks.iter().zip(outcomes) {
        take(applied, watcher, task.step, outcome);
    }
    if let Err((pf, error)) = put_in_order(host, bound) {
        applied.failed.push(failed(Target::Pf(pf), None, error));
    }
}

/// The RDMA devices of these VFs, and of those that an apply before this one left out of order:
/// their numbers are given anew, by PF and index.
fn put_in_order(host: &Host, mut vfs: Vec<(PciAddr, Vf)>) -> Result<(), (PciAddr, StepError)> {
    let new: BTreeSet<PciAddr> = vfs.iter().map(|(pf, _)| *pf).collect();
    let on_record = journal::all(host).unwrap_or_default().into_iter();
    let marked: Vec<PciAddr> = on_record
        .filter(|(_, originals)| originals.is_being_named)
        .map(|(pf, _)| pf)
        .collect();
    for pf in marked.iter().filter(|pf| !new.contains(pf)) {
        let now = pf::read(host.sysfs(), *pf).ok().flatten();
        let all = now.into_iter().flat_map(|now| now.vfs);
        vfs.extend(all.map(|vf| (*pf, vf)));
    }
    for pf in &new {
        // A VF that was bound before a kill, with its new neighbours.
        let earlier = journal::read(host, *pf).ok().flatten();
        if earlier.is_some_and(|earlier| earlier.was_killed) {
            let now = pf::read(host.sysfs(), *pf).ok().flatten();
            vfs.extend(now.into_iter().flat_map(|now| now.vfs).map(|vf| (*pf, vf)));
        }
    }
    vfs.sort();
    vfs.dedup();
    let functions: Vec<PciAddr> = vfs.iter().map(|(_, vf)| vf.address).collect();
    let first = vfs.first().map(|(pf, _)| *pf);
    let ordered =
        naming::in_order(host, &functions).and_then(|()| match naming::is_udev_there(host) {
            true => Ok(()),
            false => interface_names::in_order(host, &functions),
        });
    if let (Some(pf), Err(error)) = (first, ordered) {
        return Err((pf, error));
    }
    for pf in marked {
        journal::set_being_named(host, pf, false).map_err(|error| (pf, error.into()))?;
    }
    Ok(())
}

fn all(
    host: &Host,
    tasks: &[Task<'_>],
    workers: usize,
    kept: &Kept<'_>,
    deadline: Instant,
) -> Vec<Result<(), StepError>> {
    let pace = Pace::default();
    let outcomes: Mutex<BTreeMap<usize, Result<(), StepError>>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((at, begun)) =
                    pace.next(tasks.len(), || kept.is_newest_waiting(host))
                    && let Some(task) = tasks.get(at)
                {
                    let job = Job {
                        host,
                        pf: task.pf,
                        vf: task.vf,
                        deadline,
                    };
                    let outcome = job.bind(task.driver).map(|_| ()).map_err(StepError::from);
                    pace.over(begun);
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes.insert(at, outcome);
                    }
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_default();
    let of = |at| outcomes.remove(&at).unwrap_or(Err(StepError::NotSo));
    (0..tasks.len()).map(of).collect()
}

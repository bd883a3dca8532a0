//! Removing a software device that nobody uses, or that may be taken from its users.
//!
//! While a process has the device file of a device open whose driver cannot take it away
//! (soft-RoCE before Linux 7.3, soft-iWARP), the kernel waits for that process in the middle of
//! the removal (`ib_uverbs_remove_one`, `drivers/infiniband/core/uverbs_main.c`). Nobody can see
//! the device then, its name and its interface stay taken, and no signal ends the wait.

use std::time::{Duration, Instant};

use super::diagnosis;
use super::error::RdmaError;
use super::users::{self, Users};
use crate::kernel::privilege::Privilege;
use crate::kernel::{Conn, Host, NetlinkError, pidfd};
use crate::wire::nldev::device::Device;
use crate::wire::nldev::link as wire;

/// How long the kernel may take: it needs some milliseconds, and on a busy machine a second.
pub const USUAL_PATIENCE: Duration = Duration::from_secs(5);

/// A user need not end to give the device back, so it is also looked at again.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is done about users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long to wait until there are none.
    pub wait: Duration,
    /// Whether those that are left then lose the device.
    pub force: bool,
}

/// Why a software device is still there.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// It is in use, and nothing was done.
    #[error("RDMA device \"{device}\" is in use")]
    InUse {
        /// The device.
        device: String,
        /// By these.
        users: Users,
    },
    /// The kernel has begun and waits for its users.
    #[error("RDMA device \"{device}\" is still being deleted")]
    Stuck {
        /// The device.
        device: String,
        /// The process that waits in the kernel.
        pid: u32,
        /// Who keeps it waiting, as far as that can be found out.
        users: Option<Users>,
    },
    /// Any other failure.
    #[error(transparent)]
    Rdma(#[from] RdmaError),
}

/// Removes a software device.
///
/// Also when no user was seen the kernel is asked by a child process with a deadline: a process
/// may open the device between the look and the removal, and one that has its device file open
/// without a context is not seen. That costs a fork.
///
/// # Errors
/// [`RemovalError::InUse`], [`RemovalError::Stuck`]; [`RdmaError::Refused`] with EINVAL when its
/// driver does not let users delete it, [`RdmaError::NotPermitted`], [`RdmaError::Gone`].
pub fn remove(
    host: &Host,
    conn: &mut Conn,
    device: &Device,
    terms: Terms,
) -> Result<(), RemovalError> {
    let mut users = users::look(host, conn, device)?;
    if users.is_some() && !is_refused_anyway(host, device) {
        users = outwait(host, conn, device, (users, terms.wait))?;
        if let Some(users) = users.take_if(|_| !terms.force) {
            let device = device.name.clone();
            return Err(RemovalError::InUse { device, users });
        }
    }
    match conn.change_within(&wire::delete(device.index), USUAL_PATIENCE) {
        Ok(()) => Ok(()),
        Err(NetlinkError::Stuck { pid }) => Err(RemovalError::Stuck {
            device: device.name.clone(),
            pid,
            users: users.or_else(|| users::of_deleted(host)),
        }),
        Err(error) => Err(RdmaError::refused(error, format!("delete {}", device.name)).into()),
    }
}

/// Waits until nobody uses the device; who still does when the time is over.
fn outwait(
    host: &Host,
    conn: &mut Conn,
    device: &Device,
    (mut users, limit): (Option<Users>, Duration),
) -> Result<Option<Users>, RdmaError> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    // One that has ended, and left the device to another, would end every wait at once.
    let mut ended: Vec<u32> = Vec::new();
    while let Some(found) = &users {
        let left = limit.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break;
        }
        let pids = found.processes.iter().map(|process| process.pid);
        let pids: Vec<u32> = pids.filter(|pid| !ended.contains(pid)).collect();
        ended.extend(pidfd::first_end(&pids, pause.min(left)));
        pause = (pause * 2).min(LONGEST_PAUSE);
        users = users::look(host, conn, device)?;
    }
    Ok(users)
}

/// Whether the kernel refuses to remove the device, used or not, and says why better than we.
fn is_refused_anyway(host: &Host, device: &Device) -> bool {
    let may_not = || Privilege::of_caller(host).is_some_and(|caller| !caller.suffices());
    diagnosis::is_hardware(host, &device.name) || may_not()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Machine};
    use crate::rdma::users::objects::{By, Objects, rxe0};
    use crate::wire::nldev::{message_type, op};
    use nix::errno::Errno;
    use std::process::Command;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const NOW: Terms = Terms {
        wait: Duration::ZERO,
        force: false,
    };

    fn root() -> Machine {
        Machine::new()
            .file("proc/self/status", "CapEff:\t000001ffffffffff\n")
            .link("proc/self/ns/user", "user:[4026531837]")
            .process(8, "net:[1]", "ibv_rc_pingpong", "0::/")
    }

    /// A removal while the process has a context that it gives back when looked at for the
    /// `looks`th time; and how often the kernel was asked to delete the device.
    fn removed(
        machine: &Machine,
        (pid, looks): (u32, usize),
        deletion: fn() -> Answer,
        terms: Terms,
    ) -> (Result<(), RemovalError>, usize) {
        const LOOK: u16 = message_type(op::RES_GET);
        const DELETE: u16 = message_type(op::DELLINK);
        let deleted = Arc::new(AtomicUsize::new(0));
        let (looked, counter) = (AtomicUsize::new(0), deleted.clone());
        let kernel = move |kind, _: &[u8]| {
            match kind {
                DELETE => {
                    counter.fetch_add(1, Ordering::SeqCst);
                    return deletion();
                }
                LOOK => _ = looked.fetch_add(1, Ordering::SeqCst),
                _ => {}
            }
            let contexts = if looked.load(Ordering::SeqCst) < looks {
                vec![By::Pid(pid)]
            } else {
                Vec::new()
            };
            let objects = Objects {
                contexts,
                ..Objects::default()
            };
            objects.answer(kind)
        };
        let host = machine.host_with(Arc::new(kernel));
        let outcome = remove(&host, &mut host.rdma().unwrap(), &rxe0(), terms);
        (outcome, deleted.load(Ordering::SeqCst))
    }

    const EVER: usize = usize::MAX;

    #[test]
    fn what_is_in_use_is_left_alone() {
        let (outcome, deletions) = removed(&root(), (8, EVER), || Answer::Done, NOW);
        let Err(RemovalError::InUse { users, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!((users.processes[0].pid, deletions), (8, 0));
        let (outcome, deletions) = removed(&root(), (8, 0), || Answer::Done, NOW);
        assert_eq!((outcome.is_ok(), deletions), (true, 1));
        let forced = Terms { force: true, ..NOW };
        let (outcome, deletions) = removed(&root(), (8, EVER), || Answer::Done, forced);
        assert_eq!((outcome.is_ok(), deletions), (true, 1));
    }

    #[test]
    fn users_are_waited_for() {
        let wait = |millis| Terms {
            wait: Duration::from_millis(millis),
            ..NOW
        };
        // A process that stays and gives the device back.
        let own = std::process::id();
        let (outcome, deletions) = removed(&root(), (own, 4), || Answer::Done, wait(60_000));
        assert_eq!((outcome.is_ok(), deletions), (true, 1));
        // One that ends.
        let mut sleep = Command::new("sleep").arg("0.3").spawn().unwrap();
        let pid = sleep.id();
        let begun = Instant::now();
        let (outcome, _) = removed(&root(), (pid, 8), || Answer::Done, wait(60_000));
        assert!(outcome.is_ok() && begun.elapsed() < Duration::from_secs(30));
        sleep.wait().unwrap();
        let begun = Instant::now();
        let (outcome, deletions) = removed(&root(), (own, EVER), || Answer::Done, wait(150));
        assert!(matches!(outcome, Err(RemovalError::InUse { .. })));
        assert!(deletions == 0 && begun.elapsed() >= Duration::from_millis(150));
    }

    /// Its number may be in the list for long: another has inherited the open file.
    #[test]
    fn one_that_has_ended_does_not_end_the_pauses() {
        let mut gone = Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let limit = Duration::from_millis(400);
        let terms = Terms { wait: limit, ..NOW };
        let begun = Instant::now();
        let (outcome, _) = removed(&root(), (gone.id(), 12), || Answer::Done, terms);
        // 12 looks take 20 + 40 + ... ms, far more than there are.
        assert!(matches!(outcome, Err(RemovalError::InUse { .. })));
        assert!(begun.elapsed() >= limit);
    }

    #[test]
    fn stuck_in_the_kernel() {
        let forced = Terms { force: true, ..NOW };
        let (outcome, _) = removed(&root(), (8, EVER), || Answer::Stuck(77), forced);
        let Err(RemovalError::Stuck { pid, users, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!((pid, users.unwrap().processes[0].pid), (77, 8));
        let (outcome, _) = removed(&root(), (8, 0), || Answer::Stuck(77), NOW);
        let Err(RemovalError::Stuck { users, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(users, None);
    }

    /// Where the kernel says no whoever uses the device, it says why.
    #[test]
    fn users_of_hardware_are_not_what_is_in_the_way() {
        let machine = root()
            .file("sys/bus/pci/drivers/qedr/bind", "")
            .link("sys/devices/pci/driver", "../../bus/pci/drivers/qedr")
            .link("sys/class/infiniband/rxe0/device", "../../../devices/pci");
        let refused = || Answer::Refused(Errno::EINVAL, None);
        let (outcome, deletions) = removed(&machine, (8, EVER), refused, NOW);
        assert!(matches!(outcome, Err(RemovalError::Rdma(_))) && deletions == 1);
        let soft = machine.file("sys/class/infiniband/rxe0/parent", "eth0\n");
        let (outcome, deletions) = removed(&soft, (8, EVER), refused, NOW);
        assert!(matches!(outcome, Err(RemovalError::InUse { .. })) && deletions == 0);
        let user = Machine::new().file("proc/self/status", "CapEff:\t0000000000000000\n");
        let user = user.link("proc/self/ns/user", "user:[4026531837]");
        let (outcome, deletions) = removed(&user, (8, EVER), refused, NOW);
        assert!(matches!(outcome, Err(RemovalError::Rdma(_))) && deletions == 1);
    }
}

//! `Users`: who has a device in use.

#[cfg(test)]
pub(super) mod objects;

use std::collections::BTreeSet;

use nix::errno::Errno;
use nix::sys::stat::{major, minor};

use super::device;
use super::error::RdmaError;
use crate::kernel::namespace::Process;
use crate::kernel::open_files::{self, CharDevice};
use crate::kernel::{Conn, Host, NetlinkError};
use crate::wire::nldev::chardev::{self, CharDev};
use crate::wire::nldev::device::Device;
use crate::wire::nldev::resource::summary;
use crate::wire::nldev::resource::{Kind, Object, Query, Summary, What};

/// `IB_QPT_GSI` (`rdma/ib_verbs.h`): up to this type, the queue pairs of the subsystem itself.
const LAST_OF_THE_SUBSYSTEM: u8 = 1;

/// Queue pairs that a device has for the subsystem itself: that of its one port, if it has any.
const OWN_QUEUE_PAIRS: u64 = 1;

/// Who has a device in use; never nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Users {
    /// Processes that have contexts of it, its device file or connections on it, by number.
    pub processes: Vec<Process>,
    /// Parts of the kernel that have connections on it, or listen for them at its address.
    pub modules: BTreeSet<String>,
    /// Contexts whose processes cannot be seen from here, as in a container.
    pub unseen: u64,
    /// Processes that the caller may not look at; 0 where that does not matter.
    pub hidden: usize,
}

/// Who has a device in use; `None` when nobody has, which takes one question.
///
/// The open files of all processes are looked through only for a device that has contexts. So one
/// whose device file is open without a context counts as unused.
///
/// What listens at every address (`0.0.0.0`) listens on without the device, and is no user of it.
///
/// # Errors
/// [`RdmaError::Gone`], [`RdmaError::Refused`], [`RdmaError::Netlink`].
pub fn look(host: &Host, conn: &mut Conn, device: &Device) -> Result<Option<Users>, RdmaError> {
    let counts = counts(conn, device)?;
    let count = |name: &str| {
        let mut counts = counts.counts.iter();
        counts.find(|count| count.name == name).map(|c| c.current)
    };
    let mut users = Users::default();
    // A kernel that does not count contexts does not say that there are none.
    if count("ctx") != Some(0) {
        users.by_context(host, conn, device, count("ctx"))?;
    }
    let connections = count("cm_id") != Some(0);
    if connections {
        users.by_connection(host, conn, device)?;
    }
    if connections || count("qp").is_none_or(|number| number > OWN_QUEUE_PAIRS) {
        users.by_queue_pair(conn, device)?;
    }
    users.processes.sort_by_key(|process| process.pid);
    let nobody = users.processes.is_empty() && users.modules.is_empty() && users.unseen == 0;
    Ok((!nobody).then_some(users))
}

/// Who has a verbs device file open that has no device any more: for one that the kernel is
/// deleting, which it tells nothing about.
pub fn of_deleted(host: &Host) -> Option<Users> {
    // Documentation/admin-guide/devices.txt: /dev/infiniband/uverbs0 to 31; the kernel gives out
    // others only when it runs out of these.
    let files = (192..224).map(|minor| CharDevice { major: 231, minor });
    let sysfs = host.sysfs();
    if !sysfs.exists("dev/char") {
        return None;
    }
    let exists =
        |file: &CharDevice| sysfs.exists(format!("dev/char/{}:{}", file.major, file.minor));
    let gone = files.filter(|file| !exists(file)).collect();
    let (found, _) = open_files::holders(host, &gone).ok()?;
    let mut processes: Vec<Process> = found.into_values().flatten().collect();
    processes.sort_by_key(|process| process.pid);
    processes.dedup_by_key(|process| process.pid);
    (!processes.is_empty()).then(|| Users {
        processes,
        ..Users::default()
    })
}

impl Users {
    fn by_context(
        &mut self,
        host: &Host,
        conn: &mut Conn,
        device: &Device,
        count: Option<u64>,
    ) -> Result<(), RdmaError> {
        let listed = objects(conn, Kind::Ctx, device)?;
        let pids: BTreeSet<u32> = listed.iter().flatten().filter_map(pid).collect();
        // Before 5.13 contexts are counted, and not listed.
        let nameless = match &listed {
            Some(listed) => listed.iter().filter(|each| pid(each).is_none()).count() as u64,
            None => count.unwrap_or(0),
        };
        let files = verbs_file(conn, device)?.into_iter().collect();
        let (found, hidden) = open_files::holders(host, &files).unwrap_or_default();
        self.processes = found.into_values().flatten().collect();
        let by_file: BTreeSet<u32> = self.processes.iter().map(|process| process.pid).collect();
        let more = pids.difference(&by_file);
        self.processes
            .extend(more.map(|pid| Process::look(host, *pid)));
        // A context without a process is that of a process elsewhere, or of one that ended and
        // left its open file to another: that one has just been found.
        let heirs = by_file.difference(&pids).count() as u64;
        self.unseen = nameless.saturating_sub(heirs);
        self.hidden = if self.unseen > 0 { hidden } else { 0 };
        Ok(())
    }

    fn by_connection(
        &mut self,
        host: &Host,
        conn: &mut Conn,
        device: &Device,
    ) -> Result<(), RdmaError> {
        let found = objects(conn, Kind::CmId, device)?.unwrap_or_default();
        // Bound to no port is what listens at every address.
        for object in found.into_iter().filter(|object| object.port.is_some()) {
            match (object.task.kernel, object.task.pid) {
                (Some(module), _) => _ = self.modules.insert(module),
                (None, Some(pid)) if self.processes.iter().all(|each| each.pid != pid) => {
                    self.processes.push(Process::look(host, pid));
                }
                (None, _) => {}
            }
        }
        Ok(())
    }

    /// Queue pairs of processes belong to contexts, so only those of the kernel are news; and not
    /// all of these: the connection manager's have a connection each, whose user is the better name.
    fn by_queue_pair(&mut self, conn: &mut Conn, device: &Device) -> Result<(), RdmaError> {
        let found = objects(conn, Kind::Qp, device)?.unwrap_or_default();
        for object in found {
            let ordinary =
                matches!(&object.what, What::Qp(qp) if qp.qp_type > LAST_OF_THE_SUBSYSTEM);
            let module = object.task.kernel.filter(|name| name != "rdma_cm");
            self.modules.extend(module.filter(|_| ordinary));
        }
        Ok(())
    }
}

fn pid(object: &Object) -> Option<u32> {
    object.task.pid
}

fn counts(conn: &mut Conn, device: &Device) -> Result<Summary, RdmaError> {
    let error = match conn.get(&summary::get(device.index, false), Summary::decode) {
        Ok(summary) => return Ok(summary),
        Err(error) => error,
    };
    let device_is_there = device::with_index(conn, device.index)?.is_some();
    match error.errno() {
        Some(Errno::EINVAL) if !device_is_there => Err(RdmaError::Gone {
            device: device.name.clone(),
        }),
        _ => Err(RdmaError::refused(
            error,
            format!("count the objects of {}", device.name),
        )),
    }
}

/// The objects of a kind; `None` when the kernel does not list them.
fn objects(conn: &mut Conn, kind: Kind, device: &Device) -> Result<Option<Vec<Object>>, RdmaError> {
    let query = Query {
        kind,
        raw: false,
        driver_details: false,
    };
    let request = query.dump(device.index, None);
    match conn.list(&request, |body| query.decode_table(body)) {
        Ok(tables) => Ok(Some(tables.into_iter().flatten().collect())),
        Err(NetlinkError::Refused(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn verbs_file(conn: &mut Conn, device: &Device) -> Result<Option<CharDevice>, RdmaError> {
    match conn.get(&chardev::verbs(device.index), CharDev::decode) {
        Ok(file) => Ok(Some(CharDevice {
            major: major(file.number),
            minor: minor(file.number),
        })),
        // It has none, so nobody has it open.
        Err(NetlinkError::Refused(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::objects::{By, Objects, rxe0};
    use super::*;
    use crate::kernel::fake::{Answer, Kernel, Machine};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const GSI: (By, u8) = (By::Kernel("ib_core"), 1);

    /// Who is found, and how many questions that took.
    fn found(machine: &Machine, objects: Objects) -> (Option<Users>, usize) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let kernel: Kernel = Arc::new(move |kind, _| {
            counter.fetch_add(1, Ordering::SeqCst);
            objects.answer(kind)
        });
        let host = machine.host_with(kernel);
        let users = look(&host, &mut host.rdma().unwrap(), &rxe0()).unwrap();
        (users, asked.load(Ordering::SeqCst))
    }

    fn machine() -> Machine {
        Machine::new()
            .process(8, "net:[1]", "ibv_rc_pingpong", "0::/")
            .process(9, "net:[1]", "heir", "0::/system.slice/x.service")
    }

    fn pids(users: &Users) -> Vec<u32> {
        users.processes.iter().map(|process| process.pid).collect()
    }

    #[test]
    fn nobody_is_known_by_one_question() {
        let qps = vec![GSI];
        let idle = Objects {
            qps,
            ..Objects::default()
        };
        assert_eq!(found(&machine(), idle), (None, 1));
        assert_eq!(found(&machine(), Objects::default()), (None, 1));
    }

    #[test]
    fn processes_by_context_and_by_open_file() {
        let used = |contexts: &[By]| Objects {
            contexts: contexts.to_vec(),
            qps: vec![GSI, (By::Pid(8), 2)],
            ..Objects::default()
        };
        let users = found(&machine(), used(&[By::Pid(8)])).0.unwrap();
        assert_eq!((pids(&users), users.unseen), (vec![8], 0));
        assert_eq!(users.processes[0].comm, "ibv_rc_pingpong");
        // Its maker has ended, another has the file.
        let heir = machine().link("proc/9/fd/3", "/dev/null");
        let users = found(&heir, used(&[By::Nobody])).0.unwrap();
        assert_eq!((pids(&users), users.unseen), (vec![9], 0));
        let owner = users.processes[0].owner.clone().unwrap();
        assert_eq!(owner.unit.unwrap().name, "x.service");
        let users = found(&heir, used(&[By::Pid(8), By::Nobody, By::Nobody]));
        let users = users.0.unwrap();
        assert_eq!((pids(&users), users.unseen), (vec![8, 9], 1));
        assert!(users.modules.is_empty());
    }

    #[test]
    fn kernels_that_only_count_contexts() {
        let objects = Objects {
            contexts: vec![By::Pid(8)],
            contexts_are_secret: true,
            ..Objects::default()
        };
        let users = found(&machine(), objects.clone()).0.unwrap();
        assert_eq!((pids(&users), users.unseen), (vec![], 1));
        let open = machine().link("proc/8/fd/3", "/dev/null");
        let users = found(&open, objects).0.unwrap();
        assert_eq!((pids(&users), users.unseen), (vec![8], 0));
    }

    #[test]
    fn the_kernel_uses_it_too() {
        let with = |cm_ids: &[(By, Option<u32>)], qps: &[(By, u8)]| {
            let (cm_ids, qps) = (cm_ids.to_vec(), qps.to_vec());
            let objects = Objects {
                cm_ids,
                qps,
                ..Objects::default()
            };
            found(&machine(), objects).0
        };
        let modules = |users: Option<Users>| Vec::from_iter(users.unwrap().modules);
        let nvme = (By::Kernel("nvme_rdma"), Some(1));
        let made = (By::Kernel("rdma_cm"), 2);
        assert_eq!(modules(with(&[nvme], &[GSI, made])), ["nvme_rdma"]);
        let smc = (By::Kernel("smc"), 2);
        assert_eq!(modules(with(&[], &[GSI, smc])), ["smc"]);
        // At every address listens who does not need this device.
        assert_eq!(with(&[(By::Pid(8), None)], &[GSI]), None);
        let users = with(&[(By::Pid(8), Some(1))], &[GSI]).unwrap();
        assert_eq!(pids(&users), [8]);
    }

    #[test]
    fn a_device_that_is_gone() {
        let host = machine();
        let host = host.host_with(Arc::new(|_, _| Answer::Refused(Errno::EINVAL, None)));
        let error = look(&host, &mut host.rdma().unwrap(), &rxe0()).unwrap_err();
        assert!(matches!(error, RdmaError::Gone { .. }), "{error}");
    }
}

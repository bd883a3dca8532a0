//! VFs on which processes, or parts of the kernel, have verbs objects.

use std::collections::BTreeMap;

use nix::errno::Errno;

use super::{How, UsageError, Use};
use crate::kernel::namespace::Process;
use crate::kernel::{Conn, Host, NetlinkError};
use crate::sriov::held::Held;
use crate::types::NetnsMode;
use crate::wire::nldev::resource::{Kind, Object, Query, Summary, summary};
use crate::wire::nldev::system::{self, System};

/// Parts of the kernel that have queue pairs on every device, used or not.
const ALWAYS_THERE: [&str; 3] = ["ib_core", "ib_ipoib", "mlx5_ib"];

/// A connection, unless the kernel has no RDMA and so nobody who uses it.
pub(super) fn open(host: &Host) -> Result<Option<Conn>, UsageError> {
    match host.rdma() {
        Ok(conn) => Ok(Some(conn)),
        Err(NetlinkError::Open { source, .. })
            if source.raw_os_error() == Some(Errno::EPROTONOSUPPORT as i32) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether an RDMA device is in one namespace only; kernels that cannot tell share all of them.
pub(super) fn is_exclusive(conn: &mut Conn) -> Result<bool, UsageError> {
    match conn.get(&system::get(), |body| Ok(System::decode(body))) {
        Ok(system) => Ok(system.netns_mode() == Some(NetnsMode::Exclusive)),
        Err(NetlinkError::Refused(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The uses, as the namespace of `conn` has them: counts of all devices at once, then the objects
/// of those that have some.
pub(super) fn look(host: &Host, conn: &mut Conn, held: &[Held]) -> Result<Vec<Use>, UsageError> {
    let mut devices: BTreeMap<&str, &Held> = BTreeMap::new();
    for each in held {
        devices.extend(each.rdma.iter().map(|name| (name.as_str(), each)));
    }
    if devices.is_empty() {
        return Ok(Vec::new());
    }
    let mut uses = Vec::new();
    for summary in listed(conn.list(&summary::dump(), Summary::decode))? {
        let Some(held) = devices.get(summary.device.as_str()) else {
            continue;
        };
        if is_quiet(&summary) {
            continue;
        }
        let mut objects = Vec::new();
        for kind in [Kind::Ctx, Kind::Qp, Kind::CmId] {
            let query = Query {
                kind,
                raw: false,
                driver_details: false,
            };
            let dump = query.dump(summary.device_index, None);
            let tables = listed(conn.list(&dump, |body| query.decode_table(body)))?;
            objects.extend(tables.into_iter().flatten().map(|object| (kind, object)));
        }
        let mut users = Users::of(&objects);
        if users.is_nobody() {
            // A kernel that counts contexts and does not list them (4.20 to 5.12).
            let contexts = count(&summary, "ctx").unwrap_or(0);
            users.add_unknown(usize::try_from(contexts).unwrap_or(usize::MAX));
        }
        let users = users.told(host, &summary.device);
        uses.extend(users.into_iter().map(|how| Use { vf: held.vf, how }));
    }
    Ok(uses)
}

/// What a kernel does not list, or a device that went meanwhile, is no use.
fn listed<T>(found: Result<Vec<T>, NetlinkError>) -> Result<Vec<T>, UsageError> {
    match found {
        Err(NetlinkError::Refused(refusal))
            if matches!(
                refusal.errno,
                Errno::EINVAL | Errno::ENODEV | Errno::EOPNOTSUPP
            ) =>
        {
            Ok(Vec::new())
        }
        other => Ok(other?),
    }
}

/// Whoever uses a device has a context on it, or, in the kernel, mostly a connection.
fn is_quiet(summary: &Summary) -> bool {
    // Contexts are counted since 4.20; before, every device has to be asked.
    count(summary, "ctx") == Some(0) && count(summary, "cm_id").unwrap_or(0) == 0
}

fn count(summary: &Summary, name: &str) -> Option<u64> {
    let mut counts = summary.counts.iter();
    let count = counts.find(|count| count.name == name);
    count.map(|count| count.current)
}

#[derive(Default)]
struct Users {
    /// Contexts and queue pairs by process; `None` is one of another PID namespace.
    processes: BTreeMap<Option<u32>, (usize, usize)>,
    modules: Vec<String>,
}

impl Users {
    fn of(objects: &[(Kind, Object)]) -> Self {
        let mut users = Self::default();
        for (kind, object) in objects {
            if let Some(module) = &object.task.kernel {
                if !ALWAYS_THERE.contains(&module.as_str()) && !users.modules.contains(module) {
                    users.modules.push(module.clone());
                }
                continue;
            }
            let counts = users.processes.entry(object.task.pid).or_default();
            match kind {
                Kind::Ctx => counts.0 += 1,
                Kind::Qp => counts.1 += 1,
                _ => {}
            }
        }
        users
    }

    fn is_nobody(&self) -> bool {
        self.processes.is_empty() && self.modules.is_empty()
    }

    fn add_unknown(&mut self, contexts: usize) {
        if contexts > 0 {
            self.processes.insert(None, (contexts, 0));
        }
    }

    fn told(self, host: &Host, device: &str) -> Vec<How> {
        let processes = self.processes.into_iter();
        let processes = processes.map(|(pid, (contexts, queue_pairs))| How::Verbs {
            device: device.to_owned(),
            process: pid.map(|pid| Process::look(host, pid)),
            contexts,
            queue_pairs,
        });
        let modules = self.modules.into_iter().map(|module| How::KernelVerbs {
            device: device.to_owned(),
            module,
        });
        processes.chain(modules).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Machine};
    use crate::sriov::pf::Vf;
    use crate::wire::Request;
    use crate::wire::nldev::attr_ids::*;
    use crate::wire::nldev::resource::Kind;
    use crate::wire::nldev::{message_type, op};
    use std::sync::Arc;

    const SUMMARY: u16 = message_type(op::RES_GET);
    const CTX: u16 = message_type(op::RES_CTX_GET);
    const QP: u16 = message_type(op::RES_QP_GET);

    fn counts(index: u32, name: &str, ctx: u64) -> Vec<u8> {
        let entry = |request: Request, name: &str, count| {
            request.nest(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY, |entry| {
                entry
                    .text(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME, name)
                    .u64(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR, count)
            })
        };
        Request::new(0)
            .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
            .text(RDMA_NLDEV_ATTR_DEV_NAME, name)
            .nest(RDMA_NLDEV_ATTR_RES_SUMMARY, |table| {
                entry(entry(table, "qp", 9), "ctx", ctx)
            })
            .body()
            .to_vec()
    }

    fn table(ids: (u16, u16), entries: &[Request]) -> Vec<u8> {
        let device = Request::new(0)
            .u32(RDMA_NLDEV_ATTR_DEV_INDEX, 3)
            .text(RDMA_NLDEV_ATTR_DEV_NAME, "mlx5_3");
        let table = device.nest(ids.0, |table| {
            let entries = entries.iter();
            entries.fold(table, |table, entry| table.bytes(ids.1, entry.body()))
        });
        table.body().to_vec()
    }

    fn qp(number: u32) -> Request {
        Request::new(0)
            .u32(RDMA_NLDEV_ATTR_RES_LQPN, number)
            .u8(RDMA_NLDEV_ATTR_RES_TYPE, 2)
            .u8(RDMA_NLDEV_ATTR_RES_STATE, 1)
            .u32(RDMA_NLDEV_ATTR_RES_SQ_PSN, 0)
    }

    /// Each question is noted; contexts are listed or not.
    fn found(with_contexts: bool) -> (Vec<Use>, usize) {
        let asked = Arc::new(std::sync::Mutex::new(0));
        let counter = asked.clone();
        let kernel = Arc::new(move |kind: u16, _: &[u8]| {
            *counter.lock().unwrap() += 1;
            let ctx = |pid| {
                Request::new(0)
                    .u32(RDMA_NLDEV_ATTR_RES_CTXN, 1)
                    .u32(RDMA_NLDEV_ATTR_RES_PID, pid)
            };
            match kind {
                SUMMARY => Answer::Data(vec![
                    counts(2, "mlx5_2", 0),
                    counts(3, "mlx5_3", 2),
                    counts(4, "other", 5),
                ]),
                CTX if with_contexts => {
                    Answer::Data(vec![table(Kind::Ctx.table(), &[ctx(812), ctx(812)])])
                }
                QP if with_contexts => {
                    let entries = [
                        qp(1).text(RDMA_NLDEV_ATTR_RES_KERN_NAME, "ib_core"),
                        qp(2).text(RDMA_NLDEV_ATTR_RES_KERN_NAME, "nvme_rdma"),
                        qp(3).u32(RDMA_NLDEV_ATTR_RES_PID, 812),
                    ];
                    Answer::Data(vec![table(Kind::Qp.table(), &entries)])
                }
                _ => Answer::Refused(Errno::EINVAL, None),
            }
        });
        let machine = Machine::new().process(812, "net:[1]", "perftest", "0::/");
        let host = machine.host_with(kernel);
        let held = |index, name: &str| Held {
            vf: Vf {
                index,
                address: "0000:01:10.0".parse().unwrap(),
            },
            driver: Some("mlx5_core".to_owned()),
            rdma: vec![name.to_owned()],
            netdevs: Vec::new(),
        };
        let mut conn = open(&host).unwrap().unwrap();
        let held = [held(0, "mlx5_2"), held(1, "mlx5_3")];
        let uses = look(&host, &mut conn, &held).unwrap();
        let asked = *asked.lock().unwrap();
        (uses, asked)
    }

    #[test]
    fn only_devices_with_contexts_are_asked() {
        let (uses, asked) = found(true);
        assert_eq!(asked, 4);
        let [process, module] = &uses[..] else {
            panic!("{uses:?}")
        };
        assert_eq!(process.vf.index, 1);
        match &process.how {
            How::Verbs {
                process: Some(process),
                contexts: 2,
                queue_pairs: 1,
                ..
            } => assert_eq!(process.comm, "perftest"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(&module.how, How::KernelVerbs { module, .. } if module == "nvme_rdma"));
    }

    #[test]
    fn contexts_that_are_counted_and_not_listed() {
        let (uses, _) = found(false);
        let [unknown] = &uses[..] else {
            panic!("{uses:?}")
        };
        let expected = How::Verbs {
            device: "mlx5_3".to_owned(),
            process: None,
            contexts: 2,
            queue_pairs: 0,
        };
        assert_eq!(unknown.how, expected);
    }

    #[test]
    fn a_kernel_without_rdma_has_no_users() {
        let machine = Machine::new();
        let open = |_| Err(std::io::Error::from(Errno::EPROTONOSUPPORT));
        let host = Host::new(&machine.path(""), Box::new(open));
        assert!(super::open(&host).unwrap().is_none());
    }
}

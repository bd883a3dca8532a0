//! Giving a VF to a container: looked at, written down, changed; the caller undoes what fails.

use super::bind_anew::{Expected, bind_anew};
use super::error::AttachError;
use super::record::{Lodging, Original, Vf as RecordedVf, VfRecord, Wanted};
use super::store::VfStore;
use super::{Partition, further_netdevs, home, netdev_side, partition, rdma_side, reserved_guid};
use crate::kernel::{Conn, Host, Lock, Netns, state};
use crate::netdev::{interface, on_function};
use crate::pci::function;
use crate::rdma::lease::{Attachment, NetnsMark};
use crate::sriov::carrying_out;
use crate::sriov::change::{self, Note};
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::pf::{self, Pf, Vf};
use crate::sriov::report::{self, Report};
use crate::sriov::vf_side;
use crate::sriov::wish::Wish;
use crate::types::{Guid, IfName, LinkPolicy, PciAddr, RdmaNaming};
use crate::wire::link::message::Link;
use crate::wire::nldev::device::Device;

/// `ARPHRD_INFINIBAND` (`uapi/linux/if_arp.h`).
const ARPHRD_INFINIBAND: u16 = 32;

/// The driver of functions that are given to virtual machines.
pub const VFIO: &str = "vfio-pci";

/// What a container is to get.
#[derive(Debug)]
pub struct Order<'a> {
    /// Whose it becomes.
    pub attachment: &'a Attachment,
    /// The function.
    pub function: PciAddr,
    /// Where it goes.
    pub netns: &'a Netns,
    /// What its interface is called there.
    pub ifname: &'a IfName,
    /// Node and port GUID to set.
    pub guid: Option<Guid>,
    /// Without a GUID the VF must have one of its own.
    pub needs_guid: bool,
    /// Link policy to set.
    pub policy: Option<LinkPolicy>,
    /// The RDMA devices go along.
    pub isolation: bool,
    /// How they are to be called there.
    pub naming: &'a RdmaNaming,
    /// Drivers of others may be bound at the same time, whatever numbers character devices get.
    pub together: bool,
    /// For a virtual machine or not; `None`: its driver says.
    pub vfio: Option<bool>,
    /// Partition key, for the record.
    pub pkey: &'a str,
    /// An interface of that partition.
    pub partition: Option<&'a Partition>,
    /// Type of the IPAM plugin, for the record.
    pub ipam: &'a str,
}

/// What a function is, before anything is changed.
#[derive(Debug)]
pub struct Candidate {
    /// The PF and the VF; `None` for a whole function that a virtual machine gets.
    pub vf: Option<(Pf, Vf)>,
    /// What the PF tells; `None` for a whole function.
    pub report: Option<Report>,
    /// Nobody else gives the GUID as long as this is held.
    pub claim: Option<Lock>,
    /// As it is now.
    pub original: Original,
    /// Its interface, unless it is one for a virtual machine.
    pub link: Option<Link>,
    /// Its RDMA devices, if they are to go along.
    pub rdma: Vec<Device>,
}

/// An attachment on its way.
#[derive(Debug)]
pub struct Taken {
    /// The name of its record.
    pub name: String,
    /// The record.
    pub record: VfRecord,
    /// The interface in the container.
    pub link: Option<Link>,
    /// The one of a partition, on top of it.
    pub partition: Option<Link>,
    /// The RDMA devices in the container.
    pub rdma: Vec<Device>,
    /// What the operator should know.
    pub notes: Vec<Note>,
}

/// Looks whether a container can have what it is to get; nothing is changed.
///
/// # Errors
/// [`AttachError`].
pub fn inspect(
    host: &Host,
    home: &mut Conn,
    route: &mut Conn,
    order: &Order<'_>,
) -> Result<Candidate, AttachError> {
    let sysfs = host.sysfs();
    let address = order.function;
    let driver = function::driver(sysfs, address)?;
    if driver.is_none() && !sysfs.exists(function::folder(address)) {
        return Err(AttachError::NoFunction(address));
    }
    let is_vfio = driver.as_deref() == Some(VFIO);
    if order.vfio == Some(true) && !is_vfio {
        return Err(AttachError::NotVfio {
            function: address,
            driver,
        });
    }
    let Some((pf, vf)) = pf::of_vf(sysfs, address)? else {
        if !is_vfio {
            return Err(AttachError::NotVf(address));
        }
        return Ok(Candidate {
            vf: None,
            report: None,
            claim: None,
            original: Original {
                driver,
                ..Original::default()
            },
            link: None,
            rdma: Vec::new(),
        });
    };
    let driver = driver.ok_or(AttachError::NoDriver(address))?;
    // Before the look at who has it, which is the only one: asking a PF is dear.
    let claim = order.guid.map(|guid| reserved_guid::claim(host, guid));
    let claim = claim.transpose()?;
    let report = report::of(host, &pf)?;
    if report.layer == Some(LinkLayer::Ethernet)
        && let Some(guid) = order.guid
    {
        let function = address;
        return Err(AttachError::Ethernet { function, guid });
    }
    let told = report.told.get(&vf.index);
    let mut original = Original {
        node_guid: told.and_then(|told| told.node_guid),
        port_guid: told.and_then(|told| told.port_guid),
        policy: told.and_then(|told| told.state),
        driver: Some(driver.clone()),
        ..Original::default()
    };
    let mut candidate = Candidate {
        link: None,
        rdma: Vec::new(),
        original: Original::default(),
        vf: Some((pf.clone(), vf)),
        report: None,
        claim,
    };
    if !is_vfio {
        let links = on_function::all_here(route, sysfs, address)?;
        original.further = further_netdevs::names(&links);
        let link = links.into_iter().next();
        let link = link.ok_or(AttachError::NoNetdev {
            function: address,
            driver,
            holder: None,
        })?;
        if let Some(partition) = order.partition
            && link.hardware != ARPHRD_INFINIBAND
        {
            let (function, pkey) = (address, partition.pkey);
            return Err(AttachError::NoPartitions { function, pkey });
        }
        original.netdev = link.name.parse().ok();
        original.alt_names.clone_from(&link.alt_names);
        original.mtu = link.mtu;
        original.up = link.up;
        order.netns.prepare(host, order.isolation, true);
        if order.isolation {
            let devices = home::devices(host, home, address)?;
            rdma_side::require_names(host, order.netns, address, &devices, order.naming)?;
            candidate.rdma = devices;
        }
        candidate.link = Some(link);
    }
    if order.guid.is_none() && order.needs_guid && report.layer == Some(LinkLayer::InfiniBand) {
        let side = vf_side::read(sysfs, vf)?;
        let own = side.rdma.first().and_then(|rdma| rdma.node_guid);
        let own = if is_vfio { original.port_guid } else { own };
        if own.is_none_or(|guid| !guid.is_assignable()) {
            return Err(AttachError::NoGuid {
                pf: pf.address,
                index: vf.index,
            });
        }
    }
    if let Some(guid) = order.guid {
        reserved_guid::require_free(host, address, guid)?;
    }
    require_free_names(host, order)?;
    candidate.original = original;
    candidate.report = Some(report);
    Ok(candidate)
}

fn require_free_names(host: &Host, order: &Order<'_>) -> Result<(), AttachError> {
    let partition = order.partition.map(|partition| &partition.ifname);
    order
        .netns
        .over_route(host, |conn| -> Result<_, AttachError> {
            for name in std::iter::once(order.ifname).chain(partition) {
                if interface::named(conn, name)?.is_some() {
                    let ifname = name.to_string();
                    return Err(AttachError::IfNameTaken { ifname });
                }
            }
            Ok(())
        })?
}

/// Writes down what is about to change.
///
/// # Errors
/// [`AttachError::File`], [`AttachError::NoName`], [`AttachError::NoBootId`].
pub fn write_down(
    host: &Host,
    order: &Order<'_>,
    candidate: &Candidate,
) -> Result<(String, VfRecord), AttachError> {
    let boot = state::boot_id(host)?.ok_or(AttachError::NoBootId)?;
    let uplink = candidate
        .report
        .as_ref()
        .and_then(|report| report.uplink.as_ref());
    let mut record = VfRecord {
        attachment: Some(order.attachment.clone()),
        network: order.attachment.network.clone(),
        done: false,
        function: Some(order.function),
        vf: candidate.vf.as_ref().map(|(pf, vf)| RecordedVf {
            pf: Some(pf.address),
            pf_netdev: uplink.map(|uplink| uplink.name.clone()).unwrap_or_default(),
            index: vf.index,
        }),
        original: candidate.original.clone(),
        wanted: Wanted {
            guid: order.guid,
            policy: order.policy,
            isolation: !candidate.rdma.is_empty(),
            pkey: order.pkey.to_owned(),
            partition: order
                .partition
                .filter(|_| candidate.link.is_some())
                .cloned(),
        },
        lodging: Some(Lodging {
            netns: NetnsMark::of(order.netns, boot),
            since: state::since_boot().as_nanos() as u64,
        }),
        rdma: None,
        siblings: Vec::new(),
        ipam: order.ipam.to_owned(),
    };
    let devices = candidate.rdma.iter().map(rdma_side::recorded);
    record.set_rdma_devices(devices.collect());
    let name = VfStore::new(host).place(order.attachment, &record)?;
    let name = name.ok_or_else(|| AttachError::NoName {
        attachment: order.attachment.clone(),
    })?;
    Ok((name, record))
}

/// Makes of a candidate what the container is to get. `taken` has been written down; when this
/// fails, releasing its record undoes what was done.
///
/// # Errors
/// [`AttachError`].
pub fn carry_out(
    host: &Host,
    home: &mut Conn,
    route: &mut Conn,
    order: &Order<'_>,
    candidate: Candidate,
    taken: &mut Taken,
) -> Result<(), AttachError> {
    let Some((pf, vf)) = candidate.vf else {
        return Ok(());
    };
    let wish = Wish {
        node_guid: order.guid,
        port_guid: order.guid,
        state: order.policy,
        ..Wish::default()
    };
    if let Some(report) = candidate.report
        && wish != Wish::default()
    {
        let change = change::plan_told(host, &pf, vf, &wish, report)?;
        carrying_out::apply(host, change, &wish, false, &mut taken.notes)?;
    }
    // From now on the PF tells who has it.
    drop(candidate.claim);
    let Some(link) = candidate.link else {
        return Ok(());
    };
    let mut devices = candidate.rdma;
    if let Some(guid) = order.guid
        && !has_guid(host, vf, &link, guid)?
    {
        let expected = Expected {
            netdev: true,
            rdma: devices.len(),
            together: order.together,
        };
        let names: Vec<String> = devices.into_iter().map(|device| device.name).collect();
        devices = bind_anew(host, route, &pf, vf, expected, &names)?;
        if expected.rdma > 0 {
            let anew = rdma_side::recorded_anew(&taken.record, &devices);
            taken.record.set_rdma_devices(anew);
            let store = VfStore::new(host);
            store
                .folder()
                .replace(&taken.name, &taken.record.encode())?;
        }
    }
    if !devices.is_empty() {
        let arrived = rdma_side::enter(host, home, order.netns, &devices, order.naming)?;
        let recorded = taken.record.rdma.iter_mut();
        let recorded = recorded.chain(&mut taken.record.siblings);
        for (recorded, arrived) in recorded.zip(&arrived) {
            recorded.pod_name.clone_from(&arrived.name);
        }
        taken.rdma = arrived;
    }
    let link = netdev_side::enter(host, route, vf.address, order.netns, order.ifname)?;
    if let Some(wanted) = &taken.record.wanted.partition {
        taken.partition = Some(partition::enter(host, order.netns, &link, wanted)?);
    }
    taken.link = Some(link);
    Ok(())
}

/// Whether the driver of a VF already uses this GUID, so that it need not be bound anew.
fn has_guid(host: &Host, vf: Vf, link: &Link, guid: Guid) -> Result<bool, AttachError> {
    let port = link.address.last_chunk::<8>();
    if port.map(|bytes| Guid::from_bytes(*bytes)) != Some(guid) {
        return Ok(false);
    }
    let side = vf_side::read(host.sysfs(), vf)?;
    let node = side.rdma.iter().all(|rdma| rdma.node_guid == Some(guid));
    Ok(node && !side.rdma.is_empty())
}

/// Marks an attachment as done: from now on the runtime answers for it.
///
/// # Errors
/// [`AttachError::File`].
pub fn finish(host: &Host, taken: &mut Taken) -> Result<(), AttachError> {
    taken.record.done = true;
    let store = VfStore::new(host);
    Ok(store
        .folder()
        .replace(&taken.name, &taken.record.encode())?)
}

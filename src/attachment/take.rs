//! Giving a VF to a container: looked at, written down, changed; the caller undoes what fails.

use super::bind_anew::{Expected, bind_anew};
use super::error::AttachError;
use super::netdev_side;
use super::record::{Lodging, Original, RdmaDevice, Vf as RecordedVf, VfRecord, Wanted};
use super::store::VfStore;
use crate::kernel::{Conn, Host, Netns, state};
use crate::netdev::{interface, on_function};
use crate::pci::device::rdma_names;
use crate::pci::function;
use crate::rdma::lease::record::known_guid;
use crate::rdma::lease::{Attachment, lend};
use crate::rdma::{self, RdmaError};
use crate::sriov::change::{self, Note};
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::pf::{self, Pf, Vf};
use crate::sriov::report::{self, Report};
use crate::sriov::vf_side;
use crate::sriov::wish::Wish;
use crate::types::{DeviceId, Guid, IfName, LinkPolicy, PciAddr};
use crate::wire::link::message::Link;
use crate::wire::nldev::device::Device;

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
    /// The RDMA device goes along.
    pub isolation: bool,
    /// For a virtual machine or not; `None`: its driver says.
    pub vfio: Option<bool>,
    /// Partition key, for the record.
    pub pkey: &'a str,
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
    /// As it is now.
    pub original: Original,
    /// Its interface, unless it is one for a virtual machine.
    pub link: Option<Link>,
    /// Its RDMA device, if it is to go along.
    pub rdma: Option<Device>,
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
    /// The RDMA device in the container.
    pub rdma: Option<Device>,
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
    let function = function::read(sysfs, address)?.ok_or(AttachError::NoFunction(address))?;
    let is_vfio = function.driver.as_deref() == Some(VFIO);
    if order.vfio == Some(true) && !is_vfio {
        let driver = function.driver;
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
            original: Original {
                driver: function.driver,
                ..Original::default()
            },
            link: None,
            rdma: None,
        });
    };
    let driver = function.driver.ok_or(AttachError::NoDriver(address))?;
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
        rdma: None,
        original: Original::default(),
        vf: Some((pf.clone(), vf)),
        report: None,
    };
    if !is_vfio {
        let link = on_function::here(route, sysfs, address)?;
        let link = link.ok_or(AttachError::NoNetdev {
            function: address,
            driver,
            holder: None,
        })?;
        original.netdev = link.name.parse().ok();
        original.alt_names.clone_from(&link.alt_names);
        original.mtu = link.mtu;
        original.up = link.up;
        if order.isolation {
            candidate.rdma = Some(rdma_at_home(host, home, address)?);
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
    require_free_name(host, order)?;
    candidate.original = original;
    candidate.report = Some(report);
    Ok(candidate)
}

fn require_free_name(host: &Host, order: &Order<'_>) -> Result<(), AttachError> {
    let taken = order.netns.within(|| -> Result<_, AttachError> {
        let mut conn = host.route()?;
        Ok(interface::named(&mut conn, order.ifname)?)
    })??;
    match taken {
        None => Ok(()),
        Some(_) => Err(AttachError::IfNameTaken {
            ifname: order.ifname.to_string(),
        }),
    }
}

fn rdma_at_home(host: &Host, home: &mut Conn, function: PciAddr) -> Result<Device, AttachError> {
    let names = rdma_names(host.sysfs(), &DeviceId::Pci(function))?;
    match names.as_slice() {
        [name] => Ok(rdma::device::find_shown(home, name)?),
        _ => Err(AttachError::RdmaDevices { function, names }),
    }
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
    let record = VfRecord {
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
            isolation: candidate.rdma.is_some(),
            pkey: order.pkey.to_owned(),
        },
        lodging: Some(Lodging {
            path: order.netns.word().to_owned(),
            id: order.netns.id(),
            boot,
            since: state::since_boot().as_nanos() as u64,
        }),
        rdma: candidate.rdma.as_ref().map(moved),
        ipam: order.ipam.to_owned(),
    };
    let name = VfStore::new(host).place(order.attachment, &record)?;
    let name = name.ok_or_else(|| AttachError::NoName {
        attachment: order.attachment.clone(),
    })?;
    Ok((name, record))
}

fn moved(device: &Device) -> RdmaDevice {
    RdmaDevice {
        host_name: device.name.clone(),
        pod_name: device.name.clone(),
        index: Some(device.index),
        node_guid: known_guid(device),
    }
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
    if wish != Wish::default() {
        let change = change::plan(host, &pf, vf, &wish, false)?;
        change::apply(host, change, &wish, false, &mut taken.notes)?;
    }
    let Some(link) = candidate.link else {
        return Ok(());
    };
    let mut device = candidate.rdma;
    if let Some(guid) = order.guid
        && !has_guid(host, vf, &link, guid)?
    {
        let expected = Expected {
            netdev: true,
            rdma: device.is_some(),
        };
        bind_anew(host, route, &pf, vf, expected)?;
        if device.is_some() {
            let anew = rdma_at_home(host, home, vf.address)?;
            // A rebind makes another device: the name it had before is the one to give back.
            let host_name = taken.record.rdma.take().map(|rdma| rdma.host_name);
            let host_name = host_name.unwrap_or_else(|| anew.name.clone());
            taken.record.rdma = Some(RdmaDevice {
                host_name,
                ..moved(&anew)
            });
            let store = VfStore::new(host);
            store
                .folder()
                .replace(&taken.name, &taken.record.encode())?;
            device = Some(anew);
        }
    }
    if let Some(device) = &device {
        let arrived = lend::hand_over(host, home, device, order.netns)?;
        if let Some(rdma) = &mut taken.record.rdma {
            rdma.pod_name.clone_from(&arrived.name);
        }
        taken.rdma = Some(arrived);
    }
    let link = netdev_side::enter(host, route, vf.address, order.netns, order.ifname)?;
    taken.link = Some(link);
    Ok(())
}

/// Whether the driver of a VF already uses this GUID, so that it need not be bound anew.
fn has_guid(host: &Host, vf: Vf, link: &Link, guid: Guid) -> Result<bool, AttachError> {
    let side = vf_side::read(host.sysfs(), vf)?;
    let node = side.rdma.iter().all(|rdma| rdma.node_guid == Some(guid));
    let port = link.address.last_chunk::<8>();
    Ok(node && !side.rdma.is_empty() && port.map(|bytes| Guid::from_bytes(*bytes)) == Some(guid))
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

/// The connection to the RDMA subsystem at home.
///
/// # Errors
/// [`AttachError::Rdma`].
pub fn home(host: &Host) -> Result<Conn, AttachError> {
    host.rdma().map_err(|error| RdmaError::from(error).into())
}

//! `Stray`: a device that is not where, or not called as, the host has it at home.

use super::error::LeaseError;
use super::ledger::Ledger;
use super::record::{Attachment, Record};
use crate::kernel::namespace::Process;
use crate::kernel::namespaces::{Depth, survey};
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Conn, Host, Namespace, Netns, NetnsError, Sysfs};
use crate::pci::device::{Presence, presence, rdma_names};
use crate::rdma::users::{self, Users};
use crate::rdma::{RdmaError, away, device};
use crate::types::DeviceId;
use crate::wire::nldev::device::Device;

/// Where a stray is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this namespace.
    Away(Box<Namespace>, Device),
    /// In none that can be found: one that is being torn down, or that only a socket holds.
    Lost,
    /// At home, under another name than its record has.
    Misnamed(Device),
}

/// A device that is not where, or not called as, the host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// What it sits on; software devices sit on nothing.
    pub id: Option<DeviceId>,
    /// Its name, where it is.
    pub name: String,
    /// Its name at home, if that is on record.
    pub host_name: Option<String>,
    /// Whose it is, if that is on record.
    pub owner: Option<Attachment>,
    /// Where it is.
    pub place: Place,
    /// Processes outside of its namespace with a thread in there.
    pub visitors: Vec<Process>,
    /// Who has it open, or connections on it, wherever they are.
    pub users: Option<Users>,
}

impl Stray {
    /// Somebody may need it where it is.
    pub fn is_in_use(&self) -> bool {
        let populated = match &self.place {
            Place::Away(namespace, _) => namespace.population > 0,
            Place::Lost | Place::Misnamed(_) => false,
        };
        populated || !self.visitors.is_empty() || self.users.is_some()
    }

    /// It was lent to a container whose namespace still has a name: a runtime may be about to
    /// start its processes.
    pub fn is_lent(&self) -> bool {
        match &self.place {
            Place::Away(namespace, _) => self.owner.is_some() && !namespace.paths.is_empty(),
            Place::Lost | Place::Misnamed(_) => false,
        }
    }
}

/// What a search for strays found.
#[derive(Debug, Default)]
pub struct Strays {
    /// The strays, by namespace and by index there.
    pub found: Vec<Stray>,
    /// Why namespaces could not be looked into.
    pub unseen: Vec<NetnsError>,
    /// Processes that the caller may not look at; their namespaces may be missing.
    pub hidden: usize,
}

/// Looks for every stray; the calling thread must be at home.
///
/// # Errors
/// [`LeaseError`] at home; failures in other namespaces are part of the result.
pub fn find(host: &Host, home: &mut Conn) -> Result<Strays, LeaseError> {
    let ledger = Ledger::read(host)?;
    let here = device::list(home)?;
    let survey = survey(host, Depth::Files)?;
    let mut strays = Strays {
        hidden: survey.hidden,
        ..Strays::default()
    };
    for namespace in survey.namespaces {
        if namespace.is_current {
            continue;
        }
        let netns = match namespace.open(host) {
            Ok(netns) => netns,
            // It ended since it was found.
            Err(error) if error.is_absent() => continue,
            Err(error) => {
                strays.unseen.push(error);
                continue;
            }
        };
        match in_namespace(host, &namespace, &netns, &ledger) {
            Ok(found) => strays.found.extend(found),
            Err(LeaseError::Netns(error)) => strays.unseen.push(error),
            Err(error) => return Err(error),
        }
    }
    // What was not found may be where nobody could look.
    if strays.unseen.is_empty() && strays.hidden == 0 {
        let own = NetnsSysfs::of_caller(host);
        let sysfs = own.as_ref().map_or(host.sysfs(), NetnsSysfs::tree);
        let lost = lost(sysfs, &ledger, &strays.found)?;
        strays.found.extend(lost);
    }
    strays
        .found
        .extend(ledger.misnamed(&here).map(|(record, device)| Stray {
            id: record.device_id.clone(),
            name: device.name.clone(),
            host_name: record.home_name(),
            owner: record.attachment.clone(),
            place: Place::Misnamed(device.clone()),
            visitors: Vec::new(),
            users: None,
        }));
    Ok(strays)
}

fn in_namespace(
    host: &Host,
    namespace: &Namespace,
    netns: &Netns,
    ledger: &Ledger,
) -> Result<Vec<Stray>, LeaseError> {
    let (devices, users) = netns.within(|| -> Result<_, RdmaError> {
        let mut conn = host.rdma()?;
        let devices = device::list(&mut conn)?;
        let users: Vec<_> = devices
            .iter()
            .map(|device| users::look(host, &mut conn, device).ok().flatten())
            .collect();
        Ok((devices, users))
    })??;
    if devices.is_empty() {
        return Ok(Vec::new());
    }
    let sysfs = NetnsSysfs::of(netns)?.ok();
    let strays = devices.into_iter().zip(users);
    Ok(strays
        .map(|(device, users)| {
            let tree = sysfs.as_ref().map(NetnsSysfs::tree);
            let id = tree.and_then(|tree| below(tree, &device.name));
            let record = ledger.of(id.as_ref(), &device);
            Stray {
                name: device.name.clone(),
                host_name: record.and_then(Record::home_name),
                owner: record.and_then(|record| record.attachment.clone()),
                place: Place::Away(Box::new(namespace.clone()), device),
                id,
                visitors: threads(namespace).collect(),
                users,
            }
        })
        .collect())
}

/// Processes with a thread in the namespace; one that only has it open does not use it.
fn threads(namespace: &Namespace) -> impl Iterator<Item = Process> {
    let inside = namespace
        .holders
        .iter()
        .filter(|holder| holder.link.ends_with("ns/net"));
    inside.map(|holder| holder.process.clone())
}

/// What an RDMA device sits on, by the sysfs of its namespace.
pub fn below(sysfs: &Sysfs, name: &str) -> Option<DeviceId> {
    // The kernel writes `!` for `/` in file names (kobject_set_name_vargs).
    let folder = name.replace('/', "!");
    let link = sysfs.link_name(format!("class/infiniband/{folder}/device"));
    link.ok()?.parse().ok()
}

/// Devices that exist, as their uverbs device or their record tells, and were found nowhere.
fn lost(sysfs: &Sysfs, ledger: &Ledger, found: &[Stray]) -> Result<Vec<Stray>, LeaseError> {
    let is_found = |lost: &away::Away| {
        let mut found = found.iter();
        found.any(|stray| stray.id == lost.id && (lost.id.is_some() || stray.name == lost.name))
    };
    let mut lost = away::list(sysfs)?;
    for record in ledger.of_this_boot() {
        let Some(id) = &record.device_id else {
            continue;
        };
        let known = lost.iter().any(|lost| lost.id.as_ref() == Some(id));
        let bound = matches!(presence(sysfs, id)?, Presence::Bound(_));
        if !known && bound && rdma_names(sysfs, id)?.is_empty() {
            lost.push(away::Away {
                id: Some(id.clone()),
                name: record.pod_name.clone(),
                uverbs: String::new(),
            });
        }
    }
    lost.retain(|lost| !is_found(lost));
    Ok(lost
        .into_iter()
        .map(|lost| {
            let record = lost.id.as_ref().and_then(|id| ledger.about(id));
            Stray {
                host_name: record.and_then(Record::home_name),
                owner: record.and_then(|record| record.attachment.clone()),
                id: lost.id,
                name: lost.name,
                place: Place::Lost,
                visitors: Vec::new(),
                users: None,
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::super::ledger::tests::{VF, ledger, record};
    use super::*;
    use crate::kernel::fake::Machine;
    use crate::rdma::away::tests::member;

    #[test]
    fn lost_by_uverbs_device_and_by_record() {
        let bound = |machine: Machine| {
            machine
                .link(
                    &format!("sys/devices/{VF}/driver"),
                    "../../bus/pci/drivers/mlx5_core",
                )
                .link(
                    &format!("sys/bus/pci/devices/{VF}"),
                    &format!("../../../devices/{VF}"),
                )
        };
        let machine = bound(Machine::new());
        let host = machine.host();
        let known = ledger(vec![record(Some(4), "now")]);
        let told = |ledger: &Ledger, found: &[Stray]| lost(host.sysfs(), ledger, found).unwrap();
        let by_record = told(&known, &[]);
        assert_eq!(by_record.len(), 1);
        assert_eq!(
            (by_record[0].name.as_str(), &by_record[0].place),
            ("foo0", &Place::Lost)
        );
        assert!(told(&known, &by_record).is_empty());
        assert!(told(&ledger(vec![record(None, "")]), &[]).is_empty());
        // It is both on record and seen: once.
        let uverbs = format!("sys/devices/{VF}/infiniband_verbs/uverbs3/ibdev");
        let machine = member(bound(Machine::new()), "infiniband_verbs", "uverbs3", VF)
            .file(&uverbs, "foo1\n");
        let host = machine.host();
        let both = lost(host.sysfs(), &known, &[]).unwrap();
        assert_eq!(both.len(), 1);
        assert_eq!(
            (both[0].name.as_str(), both[0].host_name.as_deref()),
            ("foo1", Some("mlx5_2"))
        );
    }
}

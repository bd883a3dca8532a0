//! Every attachment on record on this node, of both plugins, and how it stands.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::AttachError;
use super::record::VfRecord;
use super::release::Release;
use super::store::{self, VfStore};
use crate::kernel::namespaces::{Depth, survey};
use crate::kernel::netns::NetnsId;
use crate::kernel::{Host, LockError, Namespace, state};
use crate::rdma::RdmaError;
use crate::rdma::lease::locate::{Place, Search};
use crate::rdma::lease::{self, Attachment, NetnsMark, Phase, give_back, locks, of_hook};
use crate::types::{DeviceId, IfName};

/// Which plugin wrote a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `rdma`.
    Rdma,
    /// `ib-sriov`.
    IbSriov,
    /// No plugin: the OCI hook.
    OciHook,
}

impl Kind {
    /// The name of the plugin.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rdma => "rdma",
            Self::IbSriov => "ib-sriov",
            Self::OciHook => "oci-hook",
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::Rdma | Self::OciHook => lease::store::FOLDER,
            Self::IbSriov => store::FOLDER,
        }
    }
}

/// How an attachment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Its namespace lives.
    Held(Box<Namespace>),
    /// ADD was cut off; its namespace, if that lives.
    HalfDone(Option<Box<Namespace>>),
    /// Its namespace is no more, and no DEL has come.
    Orphan,
    /// Go's record does not say where it went, and it is not at home.
    Away,
    /// Nothing can be read from the record.
    Unreadable,
}

impl Standing {
    /// Nobody will miss it, unless an ADD is under way.
    pub fn is_void(&self) -> bool {
        matches!(self, Self::HalfDone(_) | Self::Orphan | Self::Unreadable)
    }
}

/// One attachment on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Who wrote it.
    pub kind: Kind,
    /// The name of the file.
    pub name: String,
    /// Whose it is; Go leaves part of it to the name of the file.
    pub attachment: Option<Attachment>,
    /// Name of the network, which Go's `ib-sriov` writes down.
    pub network: Option<String>,
    /// What it is about.
    pub device: Option<DeviceId>,
    /// The names that its RDMA devices have at home.
    pub host_names: Vec<String>,
    /// The name that its interface has at home.
    pub netdev: Option<IfName>,
    /// How it stands.
    pub standing: Standing,
}

impl Entry {
    /// Where the record is.
    pub fn path(&self) -> String {
        format!("{}/{}", self.kind.folder(), self.name)
    }
}

/// Every record of this node.
///
/// # Errors
/// [`AttachError`] when the folders or `/proc` cannot be read.
pub fn list(host: &Host) -> Result<Vec<Entry>, AttachError> {
    let boot = state::boot_id(host)?;
    let survey = survey(host, Depth::Files)?;
    let namespaces: BTreeMap<NetnsId, &Namespace> = survey
        .namespaces
        .iter()
        .map(|namespace| (namespace.id, namespace))
        .collect();
    let lives = |mark: &NetnsMark| {
        let same = boot.as_deref() == Some(mark.boot.as_str());
        let found = namespaces.get(&mark.id).filter(|_| same);
        let found = found.filter(|namespace| namespace.is(host, mark.id, mark.cookie));
        found.map(|namespace| Box::new((*namespace).clone()))
    };
    let mut found = Vec::new();
    for entry in lease::Store::new(host).all()? {
        let record = entry.record.as_ref();
        let theirs = record.and_then(|record| record.attachment.as_ref());
        let by_hook = theirs.is_some_and(of_hook::is_of_hook);
        let standing = match record {
            None => Standing::Unreadable,
            Some(record) => match &record.lodging {
                Some(lodging) if record.phase == Phase::Intent => {
                    Standing::HalfDone(lives(&lodging.netns))
                }
                Some(lodging) => match lives(&lodging.netns) {
                    // Its container has ended, and a runtime keeps the namespace or another one
                    // has its number.
                    Some(namespace)
                        if by_hook
                            && (of_hook::is_over(host, &survey, &namespace)
                                || of_hook::is_home(host, lodging)) =>
                    {
                        Standing::Orphan
                    }
                    Some(namespace) => Standing::Held(namespace),
                    None => Standing::Orphan,
                },
                None => of_go(host, record)?,
            },
        };
        found.push(Entry {
            kind: if by_hook { Kind::OciHook } else { Kind::Rdma },
            attachment: record.and_then(|record| record.attachment.clone()),
            network: None,
            device: record.and_then(|record| record.device_id.clone()),
            host_names: record.map(lease_names).unwrap_or_default(),
            netdev: record.and_then(|record| record.netdev.clone()),
            name: entry.name,
            standing,
        });
    }
    for entry in VfStore::new(host).all()? {
        let record = entry.record.as_ref();
        let standing = match record {
            None => Standing::Unreadable,
            Some(record) if record.function.is_none() => Standing::Unreadable,
            Some(record) => match &record.lodging {
                Some(lodging) if !record.done => Standing::HalfDone(lives(&lodging.netns)),
                Some(lodging) => match lives(&lodging.netns) {
                    Some(namespace) => Standing::Held(namespace),
                    None => Standing::Orphan,
                },
                None => Standing::Away,
            },
        };
        let rdma = record.into_iter().flat_map(VfRecord::rdma_devices);
        found.push(Entry {
            kind: Kind::IbSriov,
            attachment: record.and_then(|record| record.attachment.clone()),
            network: record
                .map(|record| record.network.clone())
                .filter(|name| !name.is_empty()),
            device: record.and_then(|record| record.function).map(DeviceId::Pci),
            host_names: rdma.map(|rdma| rdma.host_name.clone()).collect(),
            netdev: record.and_then(|record| record.original.netdev.clone()),
            name: entry.name,
            standing,
        });
    }
    Ok(found)
}

/// In the order of their indices.
fn lease_names(record: &lease::Record) -> Vec<String> {
    let first = record.lodging.as_ref().map_or(0, |lodging| lodging.index);
    let mut names = vec![(first, record.host_name.clone())];
    let siblings = record.siblings.iter();
    names.extend(siblings.map(|sibling| (sibling.index, sibling.host_name.clone())));
    names.retain(|(_, name)| !name.is_empty());
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}

/// Go writes down neither namespace nor boot: only a device at home says that nobody has it.
fn of_go(host: &Host, record: &lease::Record) -> Result<Standing, AttachError> {
    let mut home = match host.rdma().map_err(RdmaError::from) {
        Ok(home) => home,
        Err(RdmaError::NoRdma) => return Ok(Standing::Away),
        Err(error) => return Err(error.into()),
    };
    let nobody = nobody();
    let search = Search {
        host,
        attachment: &nobody,
        device_id: record.device_id.as_ref(),
        record: Some(record),
        netns: None,
    };
    Ok(match search.run(&mut home)? {
        Place::Home(_) => Standing::Orphan,
        Place::Away(..) | Place::Nowhere => Standing::Away,
    })
}

fn nobody() -> Attachment {
    Attachment {
        network: String::new(),
        container: String::new(),
        ifname: String::new(),
    }
}

/// Ends a void attachment: everything as it was, and the record gone. One that is not void any
/// more when its lock is had, or that an ADD works on, stays; whether it was ended.
///
/// # Errors
/// The first thing that could not be put back; the record stays then. What else could not is in
/// `warnings`.
pub fn end(host: &Host, entry: &Entry, warnings: &mut Vec<String>) -> Result<bool, AttachError> {
    let lock = entry.device.as_ref().map(|id| locks::device(host, id));
    let _lock = match lock.transpose() {
        Ok(lock) => lock,
        // Whoever has it is at work on this attachment or on the next one of the device.
        Err(LockError::Busy { .. }) => return Ok(false),
        Err(error @ LockError::File(_)) => return Err(error.into()),
    };
    let adding = entry.attachment.as_ref();
    let adding = adding.map(|theirs| locks::adding(host, theirs, Duration::ZERO));
    if matches!(adding, Some(Err(LockError::Busy { .. }))) {
        return Ok(false);
    }
    let again = list(host)?;
    let now = again
        .into_iter()
        .find(|now| now.kind == entry.kind && now.name == entry.name && now.standing.is_void());
    let Some(now) = now else { return Ok(false) };
    let nobody = nobody();
    let attachment = now.attachment.as_ref().unwrap_or(&nobody);
    match now.kind {
        Kind::Rdma | Kind::OciHook => end_lease(host, &now.name, attachment)?,
        Kind::IbSriov => end_vf(host, &now.name, attachment, warnings)?,
    }
    Ok(true)
}

fn end_lease(host: &Host, name: &str, attachment: &Attachment) -> Result<(), AttachError> {
    let store = lease::Store::new(host);
    let entries = store.all()?.into_iter();
    let record = entries
        .filter(|entry| entry.name == name)
        .find_map(|entry| entry.record);
    if let Some(record) = &record {
        let search = Search {
            host,
            attachment,
            device_id: record.device_id.as_ref(),
            record: Some(record),
            netns: None,
        };
        let mut home = host.rdma().map_err(RdmaError::from)?;
        give_back::end_each(&search, &mut home)?;
    }
    Ok(store.folder().remove(name)?)
}

fn end_vf(
    host: &Host,
    name: &str,
    attachment: &Attachment,
    warnings: &mut Vec<String>,
) -> Result<(), AttachError> {
    let store = VfStore::new(host);
    let entries = store.all()?.into_iter();
    let record = entries
        .filter(|entry| entry.name == name)
        .find_map(|entry| entry.record);
    if let Some(record) = &record {
        let release = Release {
            host,
            attachment,
            record,
            netns: None,
            together: false,
        };
        let outcome = release.run();
        warnings.extend(outcome.warnings);
        let mut failures = outcome.failures.into_iter();
        if let Some(first) = failures.next() {
            warnings.extend(failures.map(|failure| failure.to_string()));
            return Err(first);
        }
    }
    Ok(store.folder().remove(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Machine, nldev};

    const BOOT: &str = "3f0c";

    fn machine() -> Machine {
        Machine::new()
            .file("proc/sys/kernel/random/boot_id", BOOT)
            .link("proc/thread-self/ns/net", "net:[100]")
            .process(1, "net:[100]", "systemd", "0::/")
            .process(9, "net:[200]", "sleep", "0::/")
    }

    fn lease(inode: u32, boot: &str, phase: &str) -> String {
        format!(
            r#"{{"deviceID":"0000:01:10.2","containerRdmaDevName":"mlx5_2","sandboxRdmaDevName":"mlx5_2","network":"n","containerID":"c","ifname":"eth0","netns":"/x","netnsInode":{inode},"bootID":"{boot}","rdmaIndex":3,"phase":"{phase}"}}"#
        )
    }

    #[test]
    fn how_records_stand() {
        let machine = machine()
            .file("var/lib/cni/rdma/held", lease(200, BOOT, "done"))
            .file("var/lib/cni/rdma/dead", lease(300, BOOT, "done"))
            .file("var/lib/cni/rdma/boot", lease(200, "another", "done"))
            .file("var/lib/cni/rdma/half", lease(200, BOOT, "intent"))
            .file("var/lib/cni/rdma/junk", "{")
            .file(
                "var/lib/cni/ib-sriov/c-net1",
                r#"{"deviceID":"0000:01:10.2","name":"ib"}"#,
            )
            .file("var/lib/cni/ib-sriov/cut", r#"{"name":"ib"}"#);
        let host = machine.host_with(nldev(0, &[]));
        let standings: Vec<(String, String)> = list(&host)
            .unwrap()
            .into_iter()
            .map(|entry| {
                let word = format!("{:?}", entry.standing);
                let end = word.find('(').unwrap_or(word.len());
                (entry.name, word[..end].to_owned())
            })
            .collect();
        let expected = [
            ("boot", "Orphan"),
            ("dead", "Orphan"),
            ("half", "HalfDone"),
            ("held", "Held"),
            ("junk", "Unreadable"),
            ("c-net1", "Away"),
            ("cut", "Unreadable"),
        ];
        let expected = expected.map(|(name, word)| (name.to_owned(), word.to_owned()));
        assert_eq!(standings, expected);
    }

    #[test]
    fn only_what_is_void_ends() {
        let machine = machine()
            .file("var/lib/cni/rdma/held", lease(200, BOOT, "done"))
            .file("var/lib/cni/rdma/junk", "{");
        let host = machine.host_with(nldev(0, &[]));
        let mut ended = Vec::new();
        for entry in list(&host).unwrap() {
            if end(&host, &entry, &mut Vec::new()).unwrap() {
                ended.push(entry.path());
            }
        }
        assert_eq!(ended, ["/var/lib/cni/rdma/junk"]);
        assert_eq!(list(&host).unwrap().len(), 1);
    }
}

//! `Store`: the folder of records, under the names that Go gives them.

use serde_json::Value;

use super::error::LeaseError;
use super::record::{Attachment, Record};
use crate::kernel::state::{Folder, MAX_NAME};
use crate::kernel::{FileError, Host};
use crate::types::DeviceId;

/// Go's folder; a node may be switched from one plugin to the other with pods running.
pub const FOLDER: &str = "/var/lib/cni/rdma";
/// Where Go's `ib-sriov` keeps its own records.
pub const IB_SRIOV: &str = "/var/lib/cni/ib-sriov";

/// How many names with a hash are tried.
const HASHED_NAMES: u32 = 8;

/// One file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its content; `None` when it is empty, cut off or garbage.
    pub record: Option<Record>,
}

/// Who else says that a device is his.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The record, by its path.
    pub record: String,
    /// The container, when the record tells.
    pub container: Option<String>,
}

/// All records on this machine.
#[derive(Debug)]
pub struct Store {
    folder: Folder,
    ib_sriov: Folder,
}

impl Store {
    /// The store of a machine; it need not exist yet.
    pub fn new(host: &Host) -> Self {
        Self {
            folder: Folder::new(host, FOLDER),
            ib_sriov: Folder::new(host, IB_SRIOV),
        }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The records of an attachment. Go's do not say whose they are: one at Go's name is taken
    /// for this attachment's unless it is about another device.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn own(
        &self,
        attachment: &Attachment,
        device: Option<&DeviceId>,
    ) -> Result<Vec<Entry>, FileError> {
        let plain = plain_name(attachment);
        let mut own = Vec::new();
        for name in self.folder.those_of(&names(attachment))? {
            let Some(bytes) = self.folder.read(&name)? else {
                continue;
            };
            let record = Record::decode(&bytes);
            let is_own = match &record {
                None => true,
                Some(record) => match (&record.attachment, &record.device_id, device) {
                    (Some(theirs), _, _) => theirs == attachment,
                    (None, Some(theirs), Some(wanted)) => name == plain && theirs == wanted,
                    (None, _, _) => name == plain,
                },
            };
            if is_own {
                own.push(Entry { name, record });
            }
        }
        Ok(own)
    }

    /// Every file of the folder. One that cannot be read counts as garbage.
    ///
    /// # Errors
    /// [`FileError`] when the folder cannot be listed.
    pub fn all(&self) -> Result<Vec<Entry>, FileError> {
        let all = self.folder.all(Record::decode)?.into_iter();
        Ok(all.map(|(name, record)| Entry { name, record }).collect())
    }

    /// Who else than `attachment` has a device on record, in either plugin's folder.
    ///
    /// # Errors
    /// [`FileError`] when a folder cannot be listed.
    pub fn claims(
        &self,
        id: &DeviceId,
        attachment: Option<&Attachment>,
    ) -> Result<Vec<Claim>, FileError> {
        let own = attachment.map(names).unwrap_or_default();
        let mut claims = Vec::new();
        for entry in self.all()? {
            let Some(record) = entry.record else { continue };
            let same = match &record.attachment {
                Some(theirs) => Some(theirs) == attachment,
                None => own.contains(&entry.name),
            };
            if record.device_id.as_ref() == Some(id) && !same {
                claims.push(Claim {
                    record: format!("{FOLDER}/{}", entry.name),
                    container: record.attachment.map(|theirs| theirs.container),
                });
            }
        }
        let own = attachment.map(|own| format!("{}-{}", own.container, own.ifname));
        for name in self.ib_sriov.names()? {
            let plain = name.split('@').next().unwrap_or(&name);
            if own.as_deref() == Some(plain) {
                continue;
            }
            let bytes = self.ib_sriov.read(&name).ok().flatten();
            if bytes.is_some_and(|bytes| isolates(&bytes, id)) {
                claims.push(Claim {
                    record: format!("{IB_SRIOV}/{name}"),
                    container: None,
                });
            }
        }
        Ok(claims)
    }

    /// Writes a new record under the first name that is free.
    ///
    /// # Errors
    /// [`LeaseError::NoName`], [`LeaseError::File`].
    pub fn place(&self, attachment: &Attachment, record: &Record) -> Result<String, LeaseError> {
        let content = record.encode();
        for name in names(attachment) {
            if self.folder.create(&name, &content)? {
                return Ok(name);
            }
        }
        Err(LeaseError::NoName {
            attachment: attachment.clone(),
        })
    }
}

/// Whether a record of Go's `ib-sriov` says that it moved this device.
fn isolates(bytes: &[u8], id: &DeviceId) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return false;
    };
    let device = value.get("deviceID").and_then(Value::as_str);
    value.get("rdmaIsolation") == Some(&Value::Bool(true))
        && device.and_then(|device| device.parse().ok()).as_ref() == Some(id)
}

/// Go's name: it joins with `-` what may contain `-`.
fn plain_name(attachment: &Attachment) -> String {
    let Attachment {
        network,
        container,
        ifname,
    } = attachment;
    format!("{network}-{container}-{ifname}")
}

/// Go's name, unless no file can have it, and then the names with a hash.
fn names(attachment: &Attachment) -> Vec<String> {
    let plain = plain_name(attachment);
    let hashed = (0..HASHED_NAMES).map(|salt| attachment.hashed_name(&plain, salt));
    let fits = plain.len() <= MAX_NAME;
    fits.then(|| plain.clone())
        .into_iter()
        .chain(hashed)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use crate::rdma::lease::record::Phase;

    fn attachment(network: &str, container: &str) -> Attachment {
        Attachment {
            network: network.to_owned(),
            container: container.to_owned(),
            ifname: "eth0".to_owned(),
        }
    }

    fn record(attachment: &Attachment, device: &str) -> Record {
        Record {
            device_id: device.parse().ok(),
            host_name: "mlx5_2".to_owned(),
            pod_name: "mlx5_2".to_owned(),
            netdev: None,
            attachment: Some(attachment.clone()),
            lodging: None,
            phase: Phase::Done,
            siblings: Vec::new(),
        }
    }

    #[test]
    fn two_attachments_with_one_go_name_keep_two_records() {
        let machine = Machine::new();
        let store = Store::new(&machine.host());
        let (one, two) = (attachment("a-b", "c"), attachment("a", "b-c"));
        let first = store.place(&one, &record(&one, "0000:01:10.2")).unwrap();
        let second = store.place(&two, &record(&two, "0000:01:10.4")).unwrap();
        assert_eq!(first, "a-b-c-eth0");
        assert_eq!(second.len(), first.len() + 9);
        assert!(second.starts_with("a-b-c-eth0@"));
        assert_eq!(store.own(&one, None).unwrap()[0].name, first);
        assert_eq!(store.own(&two, None).unwrap()[0].name, second);
        assert_eq!(store.own(&two, None).unwrap().len(), 1);
        let device = "0000:01:10.4".parse().unwrap();
        assert!(store.claims(&device, Some(&two)).unwrap().is_empty());
        let claims = store.claims(&device, Some(&one)).unwrap();
        assert_eq!(claims[0].container.as_deref(), Some("b-c"));
    }

    #[test]
    fn a_name_too_long_for_a_file_is_shortened() {
        let machine = Machine::new();
        let store = Store::new(&machine.host());
        for length in [200, 245, 249, 250, 300, 5000] {
            let long = attachment("n", &"c".repeat(length));
            let name = store.place(&long, &record(&long, "0000:01:10.2")).unwrap();
            assert!(name.len() <= MAX_NAME);
            assert_eq!(store.own(&long, None).unwrap().len(), 1);
        }
        assert_eq!(store.all().unwrap().len(), 6);
    }

    #[test]
    fn records_of_go_belong_to_their_name() {
        let go = r#"{"version":"1.0","deviceID":"0000:01:10.2","sandboxRdmaDevName":"mlx5_2","containerRdmaDevName":"mlx5_2"}"#;
        let machine = Machine::new()
            .file("var/lib/cni/rdma/a-b-c-eth0", go)
            .file("var/lib/cni/rdma/n-c-eth0", "")
            .file(
                "var/lib/cni/ib-sriov/c9-net1",
                r#"{"deviceID":"0000:01:10.6","rdmaIsolation":true,"extra":1}"#,
            );
        let store = Store::new(&machine.host());
        let id: DeviceId = "0000:01:10.2".parse().unwrap();
        let other: DeviceId = "0000:01:10.4".parse().unwrap();
        let own = |a: &Attachment, id| store.own(a, id).unwrap().len();
        assert_eq!(own(&attachment("a-b", "c"), Some(&id)), 1);
        assert_eq!(own(&attachment("a-b", "c"), None), 1);
        assert_eq!(own(&attachment("a", "b-c"), Some(&other)), 0);
        assert_eq!(
            store.own(&attachment("n", "c"), None).unwrap()[0].record,
            None
        );
        let isolated: DeviceId = "0000:01:10.6".parse().unwrap();
        assert_eq!(store.claims(&isolated, None).unwrap().len(), 1);
        assert!(store.claims(&other, None).unwrap().is_empty());
    }
}

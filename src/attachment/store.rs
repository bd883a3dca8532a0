//! `VfStore`: the folder of `ib-sriov`'s records, under the names that Go gives them.

use super::record::VfRecord;
use crate::kernel::state::{self, Folder, MAX_NAME};
use crate::kernel::{FileError, Host};
use crate::rdma::lease::Attachment;
use crate::types::PciAddr;

/// Go's folder; a node may be switched from one plugin to the other with pods running.
pub const FOLDER: &str = "/var/lib/cni/ib-sriov";

/// How many names with a hash are tried.
const HASHED_NAMES: u32 = 8;

/// One file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its content; `None` when it is empty, cut off or garbage.
    pub record: Option<VfRecord>,
}

/// All records on this machine.
#[derive(Debug)]
pub struct VfStore {
    folder: Folder,
}

impl VfStore {
    /// The store of a machine; it need not exist yet.
    pub fn new(host: &Host) -> Self {
        Self {
            folder: Folder::new(host, FOLDER),
        }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The records of an attachment. Go's name has no network in it: a record there that names
    /// another network is another attachment's.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn own(&self, attachment: &Attachment) -> Result<Vec<Entry>, FileError> {
        let mut own = Vec::new();
        for name in self.folder.those_of(&names(attachment))? {
            let Some(bytes) = self.folder.read(&name)? else {
                continue;
            };
            let record = VfRecord::decode(&bytes);
            if is_own(record.as_ref(), attachment) {
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
        let all = self.folder.all(VfRecord::decode)?.into_iter();
        Ok(all.map(|(name, record)| Entry { name, record }).collect())
    }

    /// The record of a function that is of this boot.
    ///
    /// # Errors
    /// [`FileError`] when the folder cannot be listed.
    pub fn of_this_boot(
        &self,
        host: &Host,
        function: PciAddr,
    ) -> Result<Option<VfRecord>, FileError> {
        let boot = state::boot_id(host)?;
        let is_of = |record: &VfRecord| {
            let is_now =
                record.lodging.as_ref().map(|lodging| &lodging.netns.boot) == boot.as_ref();
            is_now && record.function == Some(function)
        };
        let mut records = self.that_mention(function)?.into_iter();
        Ok(records.find_map(|entry| entry.record.filter(is_of)))
    }

    /// The records that may be of a function. With a hundred of them reading is cheap, and understanding is not.
    fn that_mention(&self, function: PciAddr) -> Result<Vec<Entry>, FileError> {
        let address = function.to_string();
        // Who wrote it may have left the domain 0000 out.
        let (_, address) = address.split_once(':').unwrap_or_default();
        let mentions = |bytes: &[u8]| {
            let mut places = bytes.windows(address.len());
            places.any(|place| place.eq_ignore_ascii_case(address.as_bytes()))
        };
        let decode = |bytes: &[u8]| mentions(bytes).then(|| VfRecord::decode(bytes)).flatten();
        let all = self.folder.all(decode)?.into_iter();
        Ok(all.map(|(name, record)| Entry { name, record }).collect())
    }

    /// The records of a function that are not this attachment's.
    ///
    /// # Errors
    /// [`FileError`] when the folder cannot be listed.
    pub fn of_others(
        &self,
        function: PciAddr,
        attachment: &Attachment,
    ) -> Result<Vec<Entry>, FileError> {
        let names = names(attachment);
        let is_other = |entry: &Entry| {
            let record = entry.record.as_ref();
            record.is_some_and(|record| record.function == Some(function))
                && !(names.contains(&entry.name) && is_own(record, attachment))
        };
        Ok(self
            .that_mention(function)?
            .into_iter()
            .filter(is_other)
            .collect())
    }

    /// Writes a new record under the first name that is free; `None` when all are taken.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn place(
        &self,
        attachment: &Attachment,
        record: &VfRecord,
    ) -> Result<Option<String>, FileError> {
        let content = record.encode();
        for name in names(attachment) {
            if self.folder.create(&name, &content)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

/// Whether a record at one of the names of an attachment is its own.
fn is_own(record: Option<&VfRecord>, attachment: &Attachment) -> bool {
    let theirs = record.and_then(|record| record.attachment.as_ref());
    theirs.is_none_or(|theirs| theirs == attachment)
}

/// Go's name, unless no file can have it, and then the names with a hash.
fn names(attachment: &Attachment) -> Vec<String> {
    let Attachment {
        container, ifname, ..
    } = attachment;
    let plain = format!("{container}-{ifname}");
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

    fn attachment(network: &str, container: &str, ifname: &str) -> Attachment {
        Attachment {
            network: network.to_owned(),
            container: container.to_owned(),
            ifname: ifname.to_owned(),
        }
    }

    fn record(attachment: &Attachment, function: &str) -> VfRecord {
        VfRecord {
            attachment: Some(attachment.clone()),
            function: function.parse().ok(),
            ..VfRecord::default()
        }
    }

    #[test]
    fn one_go_name_and_two_networks_keep_two_records() {
        let machine = Machine::new();
        let store = VfStore::new(&machine.host());
        let (one, two) = (attachment("a", "c", "net1"), attachment("b", "c", "net1"));
        let three = attachment("a", "c-net1", "x");
        for (who, function, name) in [
            (&one, "0000:01:10.2", "c-net1"),
            (&two, "0000:01:10.4", "c-net1@"),
            (&three, "0000:01:10.6", "c-net1-x"),
        ] {
            let placed = store.place(who, &record(who, function)).unwrap().unwrap();
            assert!(placed.starts_with(name), "{placed}");
            assert_eq!(store.own(who).unwrap()[0].name, placed);
            assert_eq!(store.own(who).unwrap().len(), 1);
        }
        let function = "0000:01:10.4".parse().unwrap();
        assert_eq!(store.of_others(function, &one).unwrap().len(), 1);
        assert!(store.of_others(function, &two).unwrap().is_empty());
    }

    #[test]
    fn records_of_go_belong_to_their_name() {
        let machine = Machine::new()
            .file(
                "var/lib/cni/ib-sriov/c-net1",
                r#"{"deviceID":"0000:01:10.2"}"#,
            )
            .file("var/lib/cni/ib-sriov/d-net1", "")
            .file("var/lib/cni/ib-sriov/.x.tmp", "");
        let store = VfStore::new(&machine.host());
        assert_eq!(store.all().unwrap().len(), 2);
        let own = store.own(&attachment("any", "c", "net1")).unwrap();
        assert!(own[0].record.is_some());
        // However it is spelt.
        let stranger = attachment("any", "x", "net1");
        for (word, spelt) in [
            ("0000:01:10.2", "01:10.2"),
            ("0000:af:10.2", "0000:AF:10.2"),
        ] {
            let text = format!(r#"{{"deviceID":"{spelt}"}}"#);
            let machine = Machine::new().file("var/lib/cni/ib-sriov/c-net1", text);
            let others = VfStore::new(&machine.host()).of_others(word.parse().unwrap(), &stranger);
            assert_eq!(others.unwrap().len(), 1, "{spelt}");
        }
        let garbage = store.own(&attachment("any", "d", "net1")).unwrap();
        assert_eq!(garbage[0].record, None);
        let long = attachment("n", &"c".repeat(300), "net1");
        let name = store.place(&long, &record(&long, "0000:01:10.2")).unwrap();
        assert!(name.unwrap().len() <= MAX_NAME);
    }
}

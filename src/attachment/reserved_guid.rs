//! GUIDs that no PF tells of: those that VFs get back in the end, and those about to be set.

use std::time::Duration;

use super::error::AttachError;
use super::record::VfRecord;
use super::store::VfStore;
use crate::kernel::{Host, LockError, state};
use crate::rdma::lease::locks;
use crate::types::{Guid, PciAddr};

/// Refuses a GUID that another VF had before it was given to a container, and will have again.
///
/// # Errors
/// [`AttachError::GuidReserved`], and those of reading the records.
pub fn require_free(host: &Host, function: PciAddr, guid: Guid) -> Result<(), AttachError> {
    let boot = state::boot_id(host)?;
    for entry in VfStore::new(host).all()? {
        let Some(record) = entry.record else { continue };
        let is_now = record.lodging.as_ref().map(|lodging| &lodging.boot) == boot.as_ref();
        // Only where ADD set another one is there one to give back.
        let gives_back = is_now && record.wanted.guid.is_some();
        let original = [record.original.node_guid, record.original.port_guid];
        let Some(other) = record.function.filter(|other| *other != function) else {
            continue;
        };
        if gives_back && original.contains(&Some(guid)) {
            return Err(AttachError::GuidReserved {
                guid,
                function: other,
                record: entry.name,
            });
        }
    }
    Ok(())
}

/// Refuses a GUID that another ADD under way is to set as well. Each writes its record first and asks then, so that of
/// two at the same moment one at least is refused.
///
/// # Errors
/// [`AttachError::GuidAsked`], and those of reading the records.
pub fn require_alone(host: &Host, function: PciAddr, guid: Guid) -> Result<(), AttachError> {
    let boot = state::boot_id(host)?;
    for entry in VfStore::new(host).all()? {
        let Some(record) = entry.record else { continue };
        let is_now = record.lodging.as_ref().map(|lodging| &lodging.boot) == boot.as_ref();
        let asks = is_now && !record.done && record.wanted.guid == Some(guid);
        let Some(other) = record.function.filter(|other| *other != function) else {
            continue;
        };
        if asks && is_under_way(host, &record) {
            return Err(AttachError::GuidAsked {
                guid,
                function: other,
                record: entry.name,
            });
        }
    }
    Ok(())
}

/// What an ADD that was killed has set, its PF tells.
fn is_under_way(host: &Host, record: &VfRecord) -> bool {
    let theirs = record.attachment.as_ref();
    let adding = theirs.map(|theirs| locks::adding(host, theirs, Duration::ZERO));
    matches!(adding, Some(Err(LockError::Busy { .. })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::record::{Lodging, Original, VfRecord, Wanted};
    use crate::kernel::fake::Machine;
    use crate::kernel::netns::NetnsId;
    use crate::rdma::lease::Attachment;

    #[test]
    fn what_is_to_be_given_back_is_taken() {
        let guid = |value| Some(Guid::new(value));
        let record = |boot: &str, wanted| VfRecord {
            function: "0000:01:10.2".parse().ok(),
            original: Original {
                node_guid: guid(0),
                port_guid: guid(5),
                ..Original::default()
            },
            wanted: Wanted {
                guid: wanted,
                ..Wanted::default()
            },
            lodging: Some(Lodging {
                path: "/x".to_owned(),
                id: NetnsId(7),
                boot: boot.to_owned(),
                since: 1,
            }),
            ..VfRecord::default()
        };
        let is_free = |record: VfRecord, function: &str, wanted: u64| {
            let machine = Machine::new()
                .file("proc/sys/kernel/random/boot_id", "now")
                .file("var/lib/cni/ib-sriov/c-net1", record.encode());
            let function = function.parse().unwrap();
            require_free(&machine.host(), function, Guid::new(wanted)).is_ok()
        };
        let (own, other) = ("0000:01:10.2", "0000:01:10.4");
        assert!(!is_free(record("now", guid(9)), other, 5));
        assert!(is_free(record("now", guid(9)), own, 5));
        assert!(is_free(record("now", guid(9)), other, 6));
        assert!(is_free(record("then", guid(9)), other, 5));
        assert!(is_free(record("now", None), other, 5));
    }

    #[test]
    fn of_two_that_ask_at_once_one_is_refused() {
        let attachment = Attachment {
            network: "n".to_owned(),
            container: "c".to_owned(),
            ifname: "net1".to_owned(),
        };
        let record = |boot: &str, done| VfRecord {
            attachment: Some(attachment.clone()),
            function: "0000:01:10.2".parse().ok(),
            done,
            wanted: Wanted {
                guid: Some(Guid::new(9)),
                ..Wanted::default()
            },
            lodging: Some(Lodging {
                path: "/x".to_owned(),
                id: NetnsId(7),
                boot: boot.to_owned(),
                since: 1,
            }),
            ..VfRecord::default()
        };
        let is_alone = |record: VfRecord, function: &str, wanted: u64, lives: bool| {
            let machine = Machine::new()
                .file("proc/sys/kernel/random/boot_id", "now")
                .file("proc/locks", "")
                .file("var/lib/cni/ib-sriov/c-net1", record.encode());
            let host = machine.host();
            let _adding = lives.then(|| locks::adding(&host, &attachment, Duration::ZERO).unwrap());
            require_alone(&host, function.parse().unwrap(), Guid::new(wanted)).is_ok()
        };
        let (own, other) = ("0000:01:10.2", "0000:01:10.4");
        assert!(!is_alone(record("now", false), other, 9, true));
        // A killed one, another GUID, its own record, one that is done, one of another boot.
        assert!(is_alone(record("now", false), other, 9, false));
        assert!(is_alone(record("now", false), other, 8, true));
        assert!(is_alone(record("now", false), own, 9, true));
        assert!(is_alone(record("now", true), other, 9, true));
        assert!(is_alone(record("then", false), other, 9, true));
    }
}

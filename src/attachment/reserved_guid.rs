//! GUIDs that no PF tells of: those that VFs get back in the end, and those about to be set.

use super::error::AttachError;
use super::store::VfStore;
use crate::kernel::{Host, Lock, LockError, state};
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
        let is_now = record.lodging.as_ref().map(|lodging| &lodging.netns.boot) == boot.as_ref();
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

/// Keeps every other ADD, and `vf set`, from giving the same GUID as long as the lock is held: from the look at who has
/// it until the PF tells of it.
///
/// # Errors
/// [`AttachError::GuidAsked`] when somebody else is at it for longer than we wait; [`AttachError::Lock`].
pub fn claim(host: &Host, guid: Guid) -> Result<Lock, AttachError> {
    locks::guid(host, guid).map_err(|error| match error {
        error @ LockError::Busy { .. } => AttachError::GuidAsked { guid, error },
        error @ LockError::File(_) => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::record::{Lodging, Original, VfRecord, Wanted};
    use crate::kernel::fake::Machine;
    use crate::kernel::netns::NetnsId;
    use crate::rdma::lease::NetnsMark;

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
                netns: NetnsMark {
                    path: "/x".to_owned(),
                    id: NetnsId(7),
                    cookie: None,
                    boot: boot.to_owned(),
                },
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
}

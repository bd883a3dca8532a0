//! `Ledger`: what is on record of all devices, and which of it still holds.

use super::error::LeaseError;
use super::of_ib_sriov;
use super::record::Record;
use super::store::Store;
use crate::kernel::{Host, state};
use crate::types::DeviceId;
use crate::wire::nldev::device::Device;

/// All records, and the boot that they have to be from.
pub struct Ledger {
    all: Vec<Record>,
    boot: Option<String>,
}

impl Ledger {
    /// Reads every record, of both plugins.
    ///
    /// # Errors
    /// [`LeaseError::File`].
    pub fn read(host: &Host) -> Result<Self, LeaseError> {
        let entries = Store::new(host).all()?.into_iter();
        let of_vfs = of_ib_sriov::leases(host)?;
        Ok(Self {
            all: entries
                .filter_map(|entry| entry.record)
                .chain(of_vfs)
                .flat_map(|record| record.each())
                .collect(),
            boot: state::boot_id(host)?,
        })
    }

    fn is_of_this_boot(&self, record: &Record) -> bool {
        let lodging = record.lodging.as_ref();
        lodging.is_some_and(|lodging| Some(&lodging.netns.boot) == self.boot.as_ref())
    }

    /// Those that tell where a device went, in this boot.
    pub fn of_this_boot(&self) -> impl Iterator<Item = &Record> {
        self.all
            .iter()
            .filter(|record| self.is_of_this_boot(record))
    }

    /// The record of this very device; Go's say no more than what it sits on.
    pub fn of(&self, id: Option<&DeviceId>, device: &Device) -> Option<&Record> {
        let ours = self.of_this_boot().find(|record| {
            let lodging = record.lodging.as_ref();
            lodging.is_some_and(|lodging| lodging.is_of(device))
        });
        ours.or_else(|| {
            let mut all = self.all.iter();
            all.find(|record| {
                record.lodging.is_none() && id.is_some() && record.device_id.as_ref() == id
            })
        })
    }

    /// A record about what sits on `id`.
    pub fn about(&self, id: &DeviceId) -> Option<&Record> {
        let mut all = self.all.iter();
        all.find(|record| {
            record.device_id.as_ref() == Some(id)
                && (record.lodging.is_none() || self.is_of_this_boot(record))
        })
    }

    /// Devices at home that are not called as their record has them: from Linux 7.3 on the kernel
    /// may have brought them under a name of its own choice.
    pub fn misnamed<'r, 'd>(
        &'r self,
        here: &'d [Device],
    ) -> impl Iterator<Item = (&'r Record, &'d Device)> {
        self.of_this_boot().filter_map(|record| {
            let lodging = record.lodging.as_ref()?;
            let device = here.iter().find(|device| lodging.is_of(device))?;
            let other = record.home_name().is_some_and(|name| name != device.name);
            other.then_some((record, device))
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kernel::netns::NetnsId;
    use crate::rdma::lease::NetnsMark;
    use crate::rdma::lease::record::{Lodging, Phase};

    pub(in crate::rdma::lease) const VF: &str = "0000:01:10.2";

    pub(in crate::rdma::lease) fn record(index: Option<u32>, boot: &str) -> Record {
        Record {
            device_id: VF.parse().ok(),
            host_name: "mlx5_2".to_owned(),
            pod_name: "foo0".to_owned(),
            netdev: None,
            siblings: Vec::new(),
            attachment: None,
            lodging: index.map(|index| Lodging {
                netns: NetnsMark {
                    path: "/run/netns/p".to_owned(),
                    id: NetnsId(7),
                    cookie: None,
                    boot: boot.to_owned(),
                },
                index,
                node_guid: None,
            }),
            phase: Phase::Done,
        }
    }

    pub(in crate::rdma::lease) fn ledger(all: Vec<Record>) -> Ledger {
        let boot = Some("now".to_owned());
        Ledger { all, boot }
    }

    fn device(index: u32, name: &str) -> Device {
        Device {
            index,
            name: name.to_owned(),
            ..Device::default()
        }
    }

    #[test]
    fn a_record_is_of_the_device_it_describes() {
        let id: Option<DeviceId> = VF.parse().ok();
        let own = ledger(vec![record(Some(4), "now"), record(Some(5), "now")]);
        let found = own.of(id.as_ref(), &device(5, "foo0")).unwrap();
        assert_eq!(found.lodging.as_ref().unwrap().index, 5);
        // Another device sits there by now, or it was another boot.
        assert!(own.of(id.as_ref(), &device(6, "foo0")).is_none());
        assert!(
            ledger(vec![record(Some(5), "then")])
                .of(id.as_ref(), &device(5, "x"))
                .is_none()
        );
        // Go's say what it sits on.
        let gos = ledger(vec![record(None, "")]);
        assert!(gos.of(id.as_ref(), &device(6, "foo0")).is_some());
        assert!(gos.of(None, &device(6, "foo0")).is_none());
    }

    #[test]
    fn the_name_that_the_kernel_chose_is_known() {
        let known = ledger(vec![record(Some(4), "now"), record(None, "")]);
        let here = [device(3, "mlx5_9"), device(4, "ibdev4")];
        let misnamed: Vec<_> = known.misnamed(&here).collect();
        assert_eq!(misnamed.len(), 1);
        assert_eq!(misnamed[0].1.name, "ibdev4");
        assert_eq!(known.misnamed(&[device(4, "mlx5_2")]).count(), 0);
    }
}

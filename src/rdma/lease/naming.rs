//! The name of a device where it was lent to, and who has the one that it was to have.

use super::error::LeaseError;
use super::holder::Holder;
use super::store::Store;
use super::{locks, of_ib_sriov};
use crate::kernel::modules::release;
use crate::kernel::{Conn, Host, Netns, state};
use crate::rdma::whereabouts::{self, Wanted};
use crate::rdma::{RdmaError, device};
use crate::types::{RdmaName, RdmaNaming};
use crate::wire::nldev::device::Device;

/// Since this release names are unique per namespace only; before, on the whole machine.
const PER_NAMESPACE: (u32, u32) = (7, 3);

/// Refuses, before anything is changed, a name that cannot be had for sure.
///
/// # Errors
/// [`LeaseError::NameTaken`], and those of looking.
pub fn require_free(
    host: &Host,
    netns: &Netns,
    device: &Device,
    naming: &RdmaNaming,
) -> Result<(), LeaseError> {
    let RdmaNaming::Fixed(name) = naming else {
        return Ok(());
    };
    let taken = |holder| {
        let name = name.clone();
        Err(LeaseError::NameTaken { name, holder })
    };
    if guests(host, netns, device)?.contains(&name.to_string()) {
        return taken(Holder::Namespace(netns.word().to_owned()));
    }
    let reserved = reserved(host, device)?;
    match reserved.into_iter().find(|(held, _)| held == name.as_str()) {
        Some((_, container)) => taken(Holder::Lent(container)),
        None => Ok(()),
    }
}

/// Since Linux 7.3 a device cannot enter a namespace in which its name is taken. One that gets
/// another there anyway leaves home under a name that nobody has; it is returned as it is then.
///
/// # Errors
/// [`LeaseError`].
pub fn make_way(
    host: &Host,
    home: &mut Conn,
    netns: &Netns,
    device: &Device,
    naming: &RdmaNaming,
) -> Result<Device, LeaseError> {
    if *naming == RdmaNaming::Keep || !guests(host, netns, device)?.contains(&device.name) {
        return Ok(device.clone());
    }
    if let Ok(spare) = spare(device).parse::<RdmaName>() {
        device::rename(home, device, &spare)?;
    }
    Ok(Device {
        name: spare(device),
        ..device.clone()
    })
}

/// A name for the way that no driver and no administrator gives.
pub fn spare(device: &Device) -> String {
    format!("rdma{}", device.index)
}

/// Names a device that is in `netns`, and returns it as it is then called.
///
/// # Errors
/// [`LeaseError::NameTaken`], [`LeaseError::NoFreeName`], and those of renaming.
pub fn give(
    host: &Host,
    home: &mut Conn,
    netns: &Netns,
    device: &Device,
    naming: &RdmaNaming,
) -> Result<Device, LeaseError> {
    let named = |name: String| Device {
        name,
        ..device.clone()
    };
    match naming {
        RdmaNaming::Keep => Ok(device.clone()),
        RdmaNaming::Fixed(name) => {
            // While we have it nobody else's device gives up a name that is on record.
            let _lock = locks::node(host)?;
            if rename(host, netns, device, name)? {
                return Ok(named(name.to_string()));
            }
            Err(LeaseError::NameTaken {
                name: name.clone(),
                holder: holder(host, home, name)?,
            })
        }
        RdmaNaming::Counted(pattern) => {
            let _lock = locks::node(host)?;
            let guests = guests(host, netns, device)?;
            let reserved = reserved(host, device)?;
            for name in pattern.names() {
                let is_free = !guests.contains(&name.to_string())
                    && !reserved.iter().any(|(held, _)| held == name.as_str());
                if is_free && rename(host, netns, device, &name)? {
                    return Ok(named(name.to_string()));
                }
            }
            Err(LeaseError::NoFreeName {
                pattern: pattern.clone(),
            })
        }
    }
}

/// Whether the device has the name now; not so if another one has it.
fn rename(
    host: &Host,
    netns: &Netns,
    device: &Device,
    name: &RdmaName,
) -> Result<bool, LeaseError> {
    if device.name == name.as_str() {
        return Ok(true);
    }
    let renamed = netns.over_rdma(host, |conn| device::rename(conn, device, name))?;
    match renamed {
        Ok(()) => Ok(true),
        Err(RdmaError::NameTaken { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The names of the other devices in the namespace.
fn guests(host: &Host, netns: &Netns, device: &Device) -> Result<Vec<String>, LeaseError> {
    let there = netns.over_rdma(host, device::list)??;
    let others = there
        .into_iter()
        .filter(|other| other.index != device.index);
    Ok(others.map(|other| other.name).collect())
}

/// Names that devices which are called otherwise now will want back, and the containers that have
/// them. Where names are unique per namespace, nobody is in their way.
fn reserved(host: &Host, device: &Device) -> Result<Vec<(String, String)>, LeaseError> {
    if release(host).is_some_and(|release| version(&release) >= Some(PER_NAMESPACE)) {
        return Ok(Vec::new());
    }
    let boot = state::boot_id(host)?;
    let records = Store::new(host).all()?.into_iter();
    let records = records.filter_map(|entry| entry.record);
    let views = records
        .chain(of_ib_sriov::leases(host)?)
        .flat_map(|record| record.each());
    let reserved = views.filter_map(|view| {
        let lodging = view.lodging.as_ref()?;
        let is_other = lodging.index != device.index;
        if !is_other || Some(&lodging.netns.boot) != boot.as_ref() {
            return None;
        }
        Some((view.host_name, view.attachment?.container))
    });
    Ok(reserved.collect())
}

/// `7.3.0-rc2-amd64` is 7.3.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn holder(host: &Host, home: &mut Conn, name: &RdmaName) -> Result<Holder, LeaseError> {
    let found = whereabouts::search(host, home, Wanted::Name(name.as_str()))?;
    if !found.here.is_empty() {
        return Ok(Holder::Host);
    }
    let elsewhere = found.elsewhere.first();
    Ok(elsewhere.map_or(Holder::Unknown, |sighting| {
        Holder::Namespace(sighting.namespace.word())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    const RECORD: &str = r#"{"version":"1.0","deviceID":"0000:01:10.2","sandboxRdmaDevName":"mlx5_2","containerRdmaDevName":"rocep1","network":"n","containerID":"c1","ifname":"i","netns":"/n","netnsInode":7,"bootID":"now","rdmaIndex":3,"phase":"done"}"#;

    fn reserved_on(release: &str, boot: &str) -> Vec<(String, String)> {
        let machine = Machine::new()
            .file("proc/sys/kernel/osrelease", release)
            .file("proc/sys/kernel/random/boot_id", boot)
            .file("var/lib/cni/rdma/n-c1-i", RECORD);
        let device = Device {
            index: 4,
            ..Device::default()
        };
        reserved(&machine.host(), &device).unwrap()
    }

    #[test]
    fn a_name_on_record_is_reserved_where_names_are_one_for_all() {
        let held = vec![("mlx5_2".to_owned(), "c1".to_owned())];
        for release in ["5.15.0", "6.12.5-amd64", "7.2.9", "mine"] {
            assert_eq!(reserved_on(release, "now"), held, "{release}");
        }
        for release in ["7.3.0-rc1", "7.10.0", "8.0.0"] {
            assert_eq!(reserved_on(release, "now"), [], "{release}");
        }
        assert_eq!(reserved_on("6.1.0", "then"), []);
    }
}

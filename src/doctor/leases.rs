//! What CNI plugins have on record, against what there is: nothing may outlive its sandbox.

use serde_json::Value;

use super::facts::Away;
use super::{Facts, Finding, Id};
use crate::kernel::state::{self, Folder};
use crate::pci::device::{self, Presence, presence};
use crate::pci::function;
use crate::rdma::lease::store::{FOLDER, IB_SRIOV};
use crate::rdma::lease::{Entry, Record, Store, of_hook};
use crate::types::shell::quoted;
use crate::types::{DeviceId, Guid};

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let boot = facts.file(state::boot_id(facts.host));
    let entries = facts.file(Store::new(facts.host).all());
    let mut found = Vec::new();
    for entry in &entries {
        found.extend(match &entry.record {
            None => garbage(facts, FOLDER, &entry.name),
            Some(record) => orphan(facts, boot.as_deref(), &entry.name, record),
        });
    }
    let theirs = of_ib_sriov(facts);
    for (name, value) in &theirs {
        found.extend(match value {
            None => garbage(facts, IB_SRIOV, name),
            Some(value) => ib_sriov_orphan(facts, name, value),
        });
    }
    let no_record = facts
        .away()
        .iter()
        .filter(|away| !is_on_record(away, &entries, &theirs));
    found.extend(no_record.filter_map(no_process));
    found
}

fn garbage(facts: &Facts<'_>, folder: &str, name: &str) -> Option<Finding> {
    let path = format!("{folder}/{name}");
    // Whoever may not read it knows nothing of it.
    let bytes = facts.file(Folder::new(facts.host, folder).read(name))?;
    let size = bytes.len();
    Some(
        Finding::about(Id::LeasesGarbage, path.as_str())
            .saw(path.as_str(), format!("{size} bytes that are no record"))
            .advise("see that no running pod has lost its device, then remove it; the plugin finds devices without it")
            .run(format!("rm {}", quoted(&path))),
    )
}

fn orphan(facts: &Facts<'_>, boot: Option<&str>, name: &str, record: &Record) -> Option<Finding> {
    let path = format!("{FOLDER}/{name}");
    let id = record.device_id.as_ref();
    let finding = Finding::about(Id::LeasesOrphan, path.as_str());
    let finding = match &record.lodging {
        Some(lodging) if boot.is_some_and(|boot| boot != lodging.netns.boot) => {
            finding.saw(path.as_str(), "written before the machine was last started")
        }
        Some(lodging) => {
            let survey = facts.survey();
            let mut namespaces = survey.namespaces.iter();
            let there =
                namespaces.find(|n| n.is(facts.host, lodging.netns.id, lodging.netns.cookie));
            let theirs = record.attachment.as_ref();
            if let Some(namespace) = there
                && theirs.is_some_and(of_hook::is_of_hook)
                && of_hook::is_over(facts.host, survey, namespace)
            {
                let lent = format!(
                    "device lent to {} ({})",
                    lodging.netns.path, lodging.netns.id
                );
                let finding = finding.saw(path.as_str(), lent);
                let finding = finding.saw("/proc/PID/ns/net", "no process is in it any more");
                return Some(finding.run("rdmactl cni gc"));
            }
            if there.is_some() || survey.hidden > 0 || boot.is_none() {
                return None;
            }
            finding
                .saw(
                    path.as_str(),
                    format!(
                        "device lent to {} ({})",
                        lodging.netns.path, lodging.netns.id
                    ),
                )
                .saw("/proc/PID/ns/net", "that namespace is gone")
        }
        None => {
            let why = at_home(facts, id?)?;
            finding
                .saw(path.as_str(), format!("device {} lent", id?))
                .saw(format!("/sys/{}", device::folder(id?).display()), why)
        }
    };
    let named = back_under_another_name(facts, record);
    let finding = match named {
        Some(now) => finding.run(format!(
            "rdmactl dev set {} name {}",
            quoted(&now),
            quoted(&record.host_name)
        )),
        None => finding,
    };
    Some(finding.run(format!("rm {}", quoted(&path))))
}

/// Why a device that is on record as lent is not: it is here, or there is none any more.
fn at_home(facts: &Facts<'_>, id: &DeviceId) -> Option<String> {
    let sysfs = facts.host.sysfs();
    let names = facts.sysfs(device::rdma_names(sysfs, id));
    if let Some(name) = names.first() {
        return Some(format!("its RDMA device {name} is here"));
    }
    match presence(sysfs, id) {
        Ok(Presence::Absent) => Some("is not there".to_owned()),
        _ => None,
    }
}

/// The name of a device that came home and did not get its own name back.
fn back_under_another_name(facts: &Facts<'_>, record: &Record) -> Option<String> {
    let lodging = record.lodging.as_ref()?;
    let mut devices = facts.rdma().devices.iter();
    let device = devices.find(|device| lodging.is_of(device))?;
    let differs = device.name != record.host_name && !record.host_name.is_empty();
    differs.then(|| device.name.clone())
}

/// The records of Go's `ib-sriov`: a whole configuration each.
fn of_ib_sriov(facts: &Facts<'_>) -> Vec<(String, Option<Value>)> {
    let folder = Folder::new(facts.host, IB_SRIOV);
    let object = |bytes: &[u8]| serde_json::from_slice(bytes).ok().filter(Value::is_object);
    facts.file(folder.all(object))
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// A VF whose interface is here is in no container. One for a virtual machine has none anyway.
fn ib_sriov_orphan(facts: &Facts<'_>, name: &str, value: &Value) -> Option<Finding> {
    let path = format!("{IB_SRIOV}/{name}");
    let address = text(value, "deviceID")?.parse().ok()?;
    let sysfs = facts.host.sysfs();
    let folder = format!("/sys/{}", function::folder(address).display());
    let finding = Finding::about(Id::LeasesOrphan, path.as_str())
        .saw(path.as_str(), format!("VF {address} lent"));
    let netdevs = facts.sysfs(function::netdevs(sysfs, address));
    let finding = match (sysfs.exists(function::folder(address)), netdevs.first()) {
        (false, _) => finding.saw(folder, "is not there"),
        (true, Some(netdev)) => finding.saw(folder, format!("its interface {netdev} is here")),
        (true, None) => return None,
    };
    let finding = match lent_guid(facts, value) {
        Some((vf, now, before)) => finding
            .saw(vf.1, format!("VF {} still has GUID {now}", vf.0))
            .run(format!("rdmactl vf set {} guid {before} --rebind", vf.0)),
        None => finding,
    };
    Some(finding.run(format!("rm {}", quoted(&path))))
}

/// The VF (and what shows it), the GUID it has, and the one it had before it was lent.
fn lent_guid(facts: &Facts<'_>, value: &Value) -> Option<((String, String), Guid, Guid)> {
    let before: Guid = text(value, "HostIFGUID")?.parse().ok()?;
    let address = text(value, "deviceID")?.parse().ok()?;
    let mut adapters = facts.adapters().iter();
    let adapter = adapters.find(|adapter| adapter.pf.vf_at(address).is_some())?;
    let vf = adapter.vfs.iter().find(|vf| vf.vf.address == address)?;
    let now = vf.told.and_then(|told| told.port_guid)?;
    let word = (adapter.vf_word(vf.vf), adapter.shown_by());
    (now != before && before.is_assignable()).then_some((word, now, before))
}

fn is_on_record(away: &Away, entries: &[Entry], theirs: &[(String, Option<Value>)]) -> bool {
    let ours = entries.iter().filter_map(|entry| entry.record.as_ref());
    let by_record = |record: &Record| match &record.lodging {
        Some(lodging) => lodging.is_of(&away.device),
        None => {
            record.device_id.is_some() && record.device_id == away.id
                || record.pod_name == away.device.name
        }
    };
    let by_theirs = |value: &Value| {
        let id = text(value, "deviceID").and_then(|id| id.parse::<DeviceId>().ok());
        id.is_some() && id == away.id
    };
    ours.into_iter().any(by_record)
        || theirs
            .iter()
            .filter_map(|(_, value)| value.as_ref())
            .any(by_theirs)
}

fn no_process(away: &Away) -> Option<Finding> {
    let namespace = &away.namespace;
    let is_empty = namespace.population == 0 && namespace.holders.is_empty();
    (is_empty && !namespace.is_initial).then(|| {
        let device = away.device.name.as_str();
        let finding = Finding::about(Id::LeasesNoRecord, device)
            .saw_namespace(namespace)
            .saw(FOLDER, "has no record of it")
            .run(format!("rdmactl dev reclaim {}", quoted(device)));
        match &away.id {
            Some(id) => finding.saw("rdma dev show", format!("{device} sits on {id}")),
            None => finding,
        }
    })
}

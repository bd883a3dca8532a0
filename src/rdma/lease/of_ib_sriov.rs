//! What `ib-sriov` has on record of RDMA devices, in the words of a lease.

use serde_json::Value;

use super::netns_mark::NetnsMark;
use super::record::{Attachment, Lodging, Phase, Record, Sibling};
use super::store::IB_SRIOV;
use crate::kernel::state::Folder;
use crate::kernel::{FileError, Host};

/// The devices that VFs took along. Go does not write down where they went: its records are not
/// among these.
///
/// # Errors
/// [`FileError`] when the folder cannot be listed; a record that cannot be read tells nothing.
pub fn leases(host: &Host) -> Result<Vec<Record>, FileError> {
    let folder = Folder::new(host, IB_SRIOV);
    let names = folder.names()?.into_iter();
    Ok(names
        .filter_map(|name| lease(&folder.read(&name).ok()??))
        .collect())
}

/// The lease in one record of `ib-sriov`.
pub fn lease(bytes: &[u8]) -> Option<Record> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let state = value.get("RdmaNetState")?;
    let ours = value.get("rdmactl")?;
    let text = |of: &Value, key: &str| of.get(key)?.as_str().map(str::to_owned);
    let first = device(ours, &text(state, "sandboxRdmaDevName")?, state)?;
    let siblings = ours.get("rdmaDevices").and_then(Value::as_array);
    let siblings = siblings.into_iter().flatten();
    let siblings = siblings.filter_map(|each| {
        let name = text(each, "sandboxRdmaDevName")?;
        device(each, &name, each)
    });
    Some(Record {
        device_id: text(&value, "deviceID")?.parse().ok(),
        host_name: first.host_name,
        pod_name: first.pod_name,
        // The interface of a VF is seen to by the record of the VF.
        netdev: None,
        attachment: Some(Attachment {
            network: text(ours, "network")?,
            container: text(ours, "containerID")?,
            ifname: text(ours, "ifname")?,
        }),
        lodging: Some(Lodging {
            netns: NetnsMark::read(ours.as_object()?)?,
            index: first.index,
            node_guid: first.node_guid,
        }),
        phase: match text(ours, "phase").as_deref() {
            Some("intent") => Phase::Intent,
            _ => Phase::Done,
        },
        siblings: siblings.collect(),
    })
}

fn device(of: &Value, host_name: &str, names: &Value) -> Option<Sibling> {
    let text = |of: &Value, key: &str| of.get(key)?.as_str().map(str::to_owned);
    Some(Sibling {
        host_name: host_name.to_owned(),
        pod_name: text(names, "containerRdmaDevName").unwrap_or_default(),
        index: u32::try_from(of.get("rdmaIndex")?.as_u64()?).ok()?,
        node_guid: text(of, "rdmaNodeGUID").and_then(|guid| guid.parse().ok()),
    })
    .filter(|device| !device.host_name.is_empty())
}

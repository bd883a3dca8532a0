//! VFs that are on record as lent: by CNI plugins, ours and Go's, and by the kubelet.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::{How, UsageError, Use};
use crate::kernel::state::Folder;
use crate::kernel::{Host, Netns, file};
use crate::sriov::pf::Vf;
use crate::types::PciAddr;

/// The state folders of `rdma`, `ib-sriov` and `sriov`: a file an attachment, JSON, with the
/// function as `deviceID`.
const FOLDERS: [&str; 3] = [
    "/var/lib/cni/rdma",
    "/var/lib/cni/ib-sriov",
    "/var/lib/cni/sriov",
];

/// Where `sriov` notes which namespace has a function: the file is called like the function.
const SRIOV_ALLOCATED: &str = "/var/lib/cni/sriov/pci";

/// Which devices the kubelet has given to which pods.
const CHECKPOINT: &str = "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint";

/// A node has some hundred pods, each of a few kilobytes there.
const MAX_CHECKPOINT: u64 = 32 * 1024 * 1024;

/// The records that name one of these VFs. One that is cut off or garbage names none.
pub(super) fn look(host: &Host, vfs: &[Vf]) -> Result<Vec<Use>, UsageError> {
    let by_address: BTreeMap<PciAddr, Vf> = vfs.iter().map(|vf| (vf.address, *vf)).collect();
    let wanted = |id: &str| {
        let address = id.parse().ok()?;
        by_address.get(&address).copied()
    };
    let mut uses = Vec::new();
    for place in FOLDERS {
        let folder = Folder::new(host, place);
        for name in folder.names()? {
            let Some(record) = folder
                .read(&name)
                .ok()
                .flatten()
                .and_then(|bytes| json(&bytes))
            else {
                continue;
            };
            let id = record.get("deviceID").and_then(Value::as_str);
            let Some(vf) = id.and_then(wanted) else {
                continue;
            };
            let container = record.get("containerID").and_then(Value::as_str);
            uses.push(Use {
                vf,
                how: How::Record {
                    path: PathBuf::from(place).join(&name),
                    container: container.map(str::to_owned),
                },
            });
        }
    }
    uses.extend(allocated_by_sriov(host, &by_address)?);
    uses.extend(allocated_by_kubelet(host, wanted)?);
    Ok(uses)
}

fn json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// The plugin itself takes a note for void when its namespace is gone.
fn allocated_by_sriov(host: &Host, wanted: &BTreeMap<PciAddr, Vf>) -> Result<Vec<Use>, UsageError> {
    let folder = Folder::new(host, SRIOV_ALLOCATED);
    let mut uses = Vec::new();
    for name in folder.names()? {
        let Some(vf) = name.parse().ok().and_then(|address| wanted.get(&address)) else {
            continue;
        };
        let netns = folder.read(&name).ok().flatten().unwrap_or_default();
        let netns = String::from_utf8_lossy(&netns).trim().to_owned();
        if netns.starts_with('/') && Netns::open(host, &netns).is_ok() {
            let path = PathBuf::from(SRIOV_ALLOCATED).join(&name);
            uses.push(Use {
                vf: *vf,
                how: How::Record {
                    path,
                    container: None,
                },
            });
        }
    }
    Ok(uses)
}

fn allocated_by_kubelet(
    host: &Host,
    wanted: impl Fn(&str) -> Option<Vf>,
) -> Result<Vec<Use>, UsageError> {
    let bytes = file::read(&host.path(CHECKPOINT), MAX_CHECKPOINT)?;
    let checkpoint = bytes.and_then(|bytes| json(&bytes));
    let entries = checkpoint
        .as_ref()
        .and_then(|value| value.get("Data")?.get("PodDeviceEntries")?.as_array());
    let mut uses = Vec::new();
    for entry in entries.into_iter().flatten() {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        for vf in devices(entry).filter_map(&wanted) {
            uses.push(Use {
                vf,
                how: How::Allocated {
                    pod: text("PodUID").to_owned(),
                    container: text("ContainerName").to_owned(),
                },
            });
        }
    }
    Ok(uses)
}

/// Since Kubernetes 1.20 by NUMA node, before in one list.
fn devices(entry: &Value) -> impl Iterator<Item = &str> {
    let ids = entry.get("DeviceIDs");
    let by_node = ids.and_then(Value::as_object).into_iter();
    let lists = by_node
        .flat_map(|nodes| nodes.values())
        .chain(ids)
        .filter_map(Value::as_array);
    lists.flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    fn vfs() -> Vec<Vf> {
        let vf = |index, address: &str| Vf {
            index,
            address: address.parse().unwrap(),
        };
        vec![vf(0, "0000:01:10.0"), vf(1, "0000:01:10.2")]
    }

    #[test]
    fn every_keeper_of_records() {
        let machine = Machine::new()
            .file(
                "var/lib/cni/rdma/net-c1-eth0",
                r#"{"version":"1.0","deviceID":"0000:01:10.0","containerID":"c1"}"#,
            )
            .file(
                "var/lib/cni/rdma/net-c2-eth0",
                r#"{"version":"1.0","deviceID":"0000:09:00.0"}"#,
            )
            .file("var/lib/cni/rdma/cut-off", r#"{"version":"1.0","dev"#)
            .file(
                "var/lib/cni/ib-sriov/c9-net1",
                r#"{"VFID":1,"deviceID":"0000:01:10.2"}"#,
            )
            .file(
                "var/lib/cni/sriov/c8-net1",
                r#"{"deviceID":"0000:01:10.2"}"#,
            )
            .file("var/lib/cni/sriov/pci/0000:01:10.2", "/var/run/netns/gone")
            .file(
                &CHECKPOINT[1..],
                r#"{"Data":{"PodDeviceEntries":[
                    {"PodUID":"u1","ContainerName":"app","DeviceIDs":{"-1":["0000:01:10.0"]}},
                    {"PodUID":"u2","ContainerName":"old","DeviceIDs":["0000:01:10.2", 5]},
                    {"PodUID":"u3","DeviceIDs":null}]}}"#,
            );
        let uses = look(&machine.host(), &vfs()).unwrap();
        let told: Vec<(u16, String)> = uses
            .iter()
            .map(|each| {
                let how = match &each.how {
                    How::Record { path, container } => {
                        let container = container.as_deref().unwrap_or("-");
                        format!("{} {container}", path.display())
                    }
                    How::Allocated { pod, container } => format!("{pod} {container}"),
                    other => panic!("{other:?}"),
                };
                (each.vf.index, how)
            })
            .collect();
        let expected = [
            (0, "/var/lib/cni/rdma/net-c1-eth0 c1"),
            (1, "/var/lib/cni/ib-sriov/c9-net1 -"),
            (1, "/var/lib/cni/sriov/c8-net1 -"),
            (0, "u1 app"),
            (1, "u2 old"),
        ];
        let expected = expected.map(|(index, text)| (index, text.to_owned()));
        assert_eq!(told, expected);
    }

    #[test]
    fn garbage_is_no_record() {
        let machine = Machine::new()
            .file(&CHECKPOINT[1..], "[1, {}")
            .file("var/lib/cni/sriov/x", [0xff, 0xfe]);
        assert!(look(&machine.host(), &vfs()).unwrap().is_empty());
        assert!(look(&Machine::new().host(), &vfs()).unwrap().is_empty());
    }
}

//! `Record`: what is written down before a device leaves home. Go's keys, and ours beside them.

use serde_json::{Map, Value};

use super::netns_mark::NetnsMark;
use crate::kernel::state::MAX_NAME;
use crate::types::{DeviceId, Guid, IfName};

pub use super::lodging::{Lodging, known_guid};

/// Go's version of the format; ours adds keys to it.
const VERSION: &str = "1.0";

/// Who has a device: what a runtime names one interface of one container by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attachment {
    /// Name of the network.
    pub network: String,
    /// Id of the container.
    pub container: String,
    /// Name of the interface.
    pub ifname: String,
}

impl Attachment {
    /// A file name for a record of this attachment alone: the start of `plain`, and a hash of the
    /// three parts kept apart, for Go joins with `-` what may contain `-`.
    pub fn hashed_name(&self, plain: &str, salt: u32) -> String {
        let parts = [&self.network, &self.container, &self.ifname];
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
        // FNV-1a.
        let hash = bytes
            .chain(salt.to_le_bytes())
            .fold(0x811c_9dc5_u32, |hash, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            });
        let suffix = format!("@{hash:08x}");
        let mut end = plain.len().min(MAX_NAME - suffix.len());
        while !plain.is_char_boundary(end) {
            end -= 1;
        }
        format!("{}{suffix}", &plain[..end])
    }
}

/// How far a lease has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The device is about to leave, or has left and nobody was told.
    Intent,
    /// The runtime was told that the container has it.
    Done,
}

/// A further device of the same function, lent along with the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// Name of the device at home.
    pub host_name: String,
    /// Name it had when it arrived.
    pub pod_name: String,
    /// RDMA index of the device.
    pub index: u32,
    /// Its node GUID, when it had one.
    pub node_guid: Option<Guid>,
}

/// One lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// PCI address or auxiliary name.
    pub device_id: Option<DeviceId>,
    /// Name of the device at home, to be given back to it.
    pub host_name: String,
    /// Name it had when it arrived.
    pub pod_name: String,
    /// Name of its interface at home, which IPoIB makes anew with every move.
    pub netdev: Option<IfName>,
    /// Who has it; Go does not write that down.
    pub attachment: Option<Attachment>,
    /// Where it went; Go does not write that down.
    pub lodging: Option<Lodging>,
    /// How far it has come; Go writes a record only when it is done.
    pub phase: Phase,
    /// What was lent along with it; only a function with several devices has some.
    pub siblings: Vec<Sibling>,
}

impl Record {
    /// The record as a file: one line of JSON.
    pub fn encode(&self) -> Vec<u8> {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| {
            object.insert(key.to_owned(), value);
        };
        put("version", VERSION.into());
        let device_id = self.device_id.as_ref().map(DeviceId::to_string);
        put("deviceID", device_id.unwrap_or_default().into());
        put("sandboxRdmaDevName", self.host_name.as_str().into());
        put("containerRdmaDevName", self.pod_name.as_str().into());
        if let Some(netdev) = &self.netdev {
            put("hostNetdev", netdev.as_str().into());
        }
        if let Some(attachment) = &self.attachment {
            put("network", attachment.network.as_str().into());
            put("containerID", attachment.container.as_str().into());
            put("ifname", attachment.ifname.as_str().into());
        }
        if let Some(lodging) = &self.lodging {
            for (key, value) in lodging.netns.entries() {
                put(key, value);
            }
            put("rdmaIndex", lodging.index.into());
            if let Some(guid) = lodging.node_guid {
                put("nodeGUID", guid.quads().into());
            }
        }
        if !self.siblings.is_empty() {
            let each = self.each();
            let devices = each.iter().filter_map(device_value);
            put("rdmaDevices", devices.collect());
        }
        put(
            "phase",
            match self.phase {
                Phase::Intent => "intent",
                Phase::Done => "done",
            }
            .into(),
        );
        Value::Object(object).to_string().into_bytes()
    }

    /// The name that is to be given back; Go's oldest records have none.
    pub fn home_name(&self) -> Option<String> {
        Some(self.host_name.clone()).filter(|name| !name.is_empty())
    }

    /// Reads a record of ours or of any Go release; `None` when nothing in it is of use.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
        let number = |key: &str| value.get(key)?.as_u64();
        let device_id = text("deviceID").and_then(|id| id.parse().ok());
        let pod_name = text("containerRdmaDevName").unwrap_or_default();
        if device_id.is_none() && pod_name.is_empty() {
            return None;
        }
        let attachment = || {
            Some(Attachment {
                network: text("network")?,
                container: text("containerID")?,
                ifname: text("ifname")?,
            })
        };
        let lodging = || {
            Some(Lodging {
                netns: NetnsMark::read(value.as_object()?)?,
                index: u32::try_from(number("rdmaIndex")?).ok()?,
                node_guid: text("nodeGUID").and_then(|guid| guid.parse().ok()),
            })
        };
        let lodging = lodging();
        let first = lodging.as_ref().map(|lodging| lodging.index);
        let devices = value.get("rdmaDevices").and_then(Value::as_array);
        let devices = devices.into_iter().flatten().filter_map(sibling);
        Some(Self {
            device_id,
            host_name: text("sandboxRdmaDevName").unwrap_or_default(),
            netdev: text("hostNetdev").and_then(|name| name.parse().ok()),
            attachment: attachment(),
            siblings: devices
                .filter(|s| first.is_some_and(|first| first != s.index))
                .collect(),
            lodging,
            phase: match text("phase").as_deref() {
                Some("intent") => Phase::Intent,
                _ => Phase::Done,
            },
            pod_name,
        })
    }

    /// The record as each of its devices sees it: itself first, the others as siblings.
    pub fn each(&self) -> Vec<Self> {
        let mut each = vec![self.clone()];
        let Some(lodging) = &self.lodging else {
            return each;
        };
        let first = Sibling {
            host_name: self.host_name.clone(),
            pod_name: self.pod_name.clone(),
            index: lodging.index,
            node_guid: lodging.node_guid,
        };
        for (n, sibling) in self.siblings.iter().enumerate() {
            let mut others = self.siblings.clone();
            others[n] = first.clone();
            each.push(Self {
                host_name: sibling.host_name.clone(),
                pod_name: sibling.pod_name.clone(),
                lodging: Some(Lodging {
                    index: sibling.index,
                    node_guid: sibling.node_guid,
                    ..lodging.clone()
                }),
                siblings: others,
                ..self.clone()
            });
        }
        each
    }
}

fn device_value(view: &Record) -> Option<Value> {
    let lodging = view.lodging.as_ref()?;
    let mut object = Map::new();
    object.insert("rdmaIndex".to_owned(), lodging.index.into());
    if let Some(guid) = lodging.node_guid {
        object.insert("nodeGUID".to_owned(), guid.quads().into());
    }
    for (key, name) in [
        ("sandboxRdmaDevName", &view.host_name),
        ("containerRdmaDevName", &view.pod_name),
    ] {
        object.insert(key.to_owned(), name.as_str().into());
    }
    Some(Value::Object(object))
}

fn sibling(value: &Value) -> Option<Sibling> {
    let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    Some(Sibling {
        host_name: text("sandboxRdmaDevName")?,
        pod_name: text("containerRdmaDevName").unwrap_or_default(),
        index: u32::try_from(value.get("rdmaIndex")?.as_u64()?).ok()?,
        node_guid: text("nodeGUID").and_then(|guid| guid.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netns::NetnsId;
    use crate::wire::nldev::device::Device;
    use proptest::prelude::*;

    fn record() -> Record {
        Record {
            device_id: "0000:01:10.2".parse().ok(),
            host_name: "mlx5_2".to_owned(),
            pod_name: "mlx5_2".to_owned(),
            netdev: "ib2".parse().ok(),
            attachment: Some(Attachment {
                network: "net".to_owned(),
                container: "c1".to_owned(),
                ifname: "eth0".to_owned(),
            }),
            lodging: Some(Lodging {
                netns: NetnsMark {
                    path: "/run/netns/p".to_owned(),
                    id: NetnsId(4026532281),
                    cookie: Some(4711),
                    boot: "b".to_owned(),
                },
                index: 3,
                node_guid: Some(Guid::new(7)),
            }),
            phase: Phase::Intent,
            siblings: Vec::new(),
        }
    }

    #[test]
    fn several_devices_are_listed_with_the_first_for_go() {
        let second = Sibling {
            host_name: "mlx5_3".to_owned(),
            pod_name: "mlx5_1".to_owned(),
            index: 4,
            node_guid: None,
        };
        let record = Record {
            siblings: vec![second],
            ..record()
        };
        let bytes = record.encode();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(text.contains(
            r#""rdmaDevices":[{"rdmaIndex":3,"nodeGUID":"0000:0000:0000:0007","sandboxRdmaDevName":"mlx5_2","containerRdmaDevName":"mlx5_2"},{"rdmaIndex":4,"sandboxRdmaDevName":"mlx5_3","containerRdmaDevName":"mlx5_1"}]"#
        ), "{text}");
        assert_eq!(Record::decode(&bytes).as_ref(), Some(&record));
        let each = record.each();
        assert_eq!(each.len(), 2);
        assert_eq!(each[0], record);
        assert_eq!(each[1].host_name, "mlx5_3");
        assert_eq!(each[1].lodging.as_ref().unwrap().index, 4);
        assert_eq!(each[1].siblings[0].index, 3);
        assert_eq!(each[1].each()[1].lodging, record.lodging);
    }

    #[test]
    fn encoded_and_decoded() {
        let bytes = record().encode();
        let text = std::str::from_utf8(&bytes).unwrap();
        // The start is what Go writes, to the byte.
        assert!(text.starts_with(
            r#"{"version":"1.0","deviceID":"0000:01:10.2","sandboxRdmaDevName":"mlx5_2","containerRdmaDevName":"mlx5_2","#
        ), "{text}");
        assert_eq!(Record::decode(&bytes), Some(record()));
        let none = Record {
            attachment: None,
            lodging: None,
            ..record()
        };
        assert_eq!(Record::decode(&none.encode()), Some(none));
    }

    #[test]
    fn records_of_go_are_read() {
        let go = br#"{"version":"1.0","deviceID":"mlx5_core.sf.4","sandboxRdmaDevName":"mlx5_3","containerRdmaDevName":"mlx5_3"}"#;
        let record = Record::decode(go).unwrap();
        assert_eq!(record.phase, Phase::Done);
        assert_eq!((&record.attachment, &record.lodging), (&None, &None));
        assert_eq!(record.host_name, "mlx5_3");
        assert_eq!(record.device_id, "mlx5_core.sf.4".parse().ok());
    }

    #[test]
    fn what_says_nothing_is_no_record() {
        for bytes in [
            &b""[..],
            b"{",
            b"{}",
            b"null",
            b"[1]",
            b"\xff",
            br#"{"deviceID":5}"#,
            br#"{"deviceID":"../../etc"}"#,
        ] {
            assert_eq!(Record::decode(bytes), None);
        }
    }

    #[test]
    fn a_device_is_known_by_index_and_guid() {
        let lodging = record().lodging.unwrap();
        let device = |index, guid| Device {
            index,
            node_guid: Some(Guid::new(guid)),
            ..Device::default()
        };
        assert!(lodging.is_of(&device(3, 7)));
        assert!(!lodging.is_of(&device(4, 7)));
        assert!(!lodging.is_of(&device(3, 8)));
        let fresh = Lodging {
            node_guid: None,
            ..lodging
        };
        assert!(fresh.is_of(&device(3, 0)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            Record::decode(&bytes);
        }
    }
}

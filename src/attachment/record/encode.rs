//! A record as a file: what Go's plugin reads, and what it does not know below a key of its own.

use serde_json::{Map, Value, json};

use super::{OURS, RdmaDevice, VfRecord};
use crate::types::{Guid, IfName};

impl VfRecord {
    /// The record as a file: one line of JSON. Go's plugin finds what it wrote itself, and can
    /// end the attachment.
    pub fn encode(&self) -> Vec<u8> {
        let text = |word: &str| Value::from(word);
        let original = &self.original;
        let netdev = original.netdev.as_ref().map_or("", IfName::as_str);
        // Go puts this GUID back, and does nothing about GUIDs when it is empty.
        let guid = self.wanted.guid.and(original.port_guid);
        let guid = guid.map(|guid| guid.to_string()).unwrap_or_default();
        let function = self.function.map(|f| f.to_string()).unwrap_or_default();
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| {
            object.insert(key.to_owned(), value);
        };
        let ifname = self.attachment.as_ref().map_or("", |a| a.ifname.as_str());
        put("ContIFNames", text(ifname));
        put("HostIFGUID", text(&guid));
        put("HostIFNames", text(netdev));
        let master = self.vf.as_ref().map_or("", |vf| vf.pf_netdev.as_str());
        put("Master", text(master));
        let rdma = self.rdma.as_ref();
        put(
            "RdmaNetState",
            json!({
                "containerRdmaDevName": rdma.map_or("", |rdma| rdma.pod_name.as_str()),
                "deviceID": if rdma.is_some() { function.as_str() } else { "" },
                "sandboxRdmaDevName": rdma.map_or("", |rdma| rdma.host_name.as_str()),
                "version": "",
            }),
        );
        put("VFID", self.vf.as_ref().map_or(0, |vf| vf.index).into());
        put("args", json!({"cni": null}));
        put("cniVersion", text("1.0.0"));
        put("deviceID", text(&function));
        put("ipam", json!({"type": self.ipam}));
        if let Some(policy) = self.wanted.policy {
            put("link_state", text(&policy.to_string()));
        }
        put("name", text(&self.network));
        put("pkey", text(&self.wanted.pkey));
        if self.wanted.isolation {
            put("rdmaIsolation", true.into());
        }
        let asked = self.wanted.guid.map(|guid| guid.to_string());
        put(
            "runtimeConfig",
            json!({"infinibandGUID": asked.unwrap_or_default()}),
        );
        put("type", text("ib-sriov"));
        if original.driver.as_deref() == Some("vfio-pci") {
            put("vfioPciMode", true.into());
        }
        put(OURS, self.ours());
        Value::Object(object).to_string().into_bytes()
    }

    fn ours(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            object.extend(value.map(|value| (key.to_owned(), value)));
        };
        put(
            "phase",
            Some(if self.done { "done" } else { "intent" }.into()),
        );
        if let Some(attachment) = &self.attachment {
            put("network", Some(attachment.network.as_str().into()));
            put("containerID", Some(attachment.container.as_str().into()));
            put("ifname", Some(attachment.ifname.as_str().into()));
        }
        let pf = self.vf.as_ref().and_then(|vf| vf.pf);
        put("pf", pf.map(|pf| pf.to_string().into()));
        let original = &self.original;
        let guid = |guid: Guid| Value::from(guid.to_string());
        put("altNames", Some(original.alt_names.clone().into()));
        let further: Vec<&str> = original.further.iter().map(IfName::as_str).collect();
        let further = (!further.is_empty()).then(|| further.into());
        put("furtherNetdevs", further);
        put("mtu", original.mtu.map(Value::from));
        put("up", Some(original.up.into()));
        put("nodeGUID", original.node_guid.map(guid));
        put("portGUID", original.port_guid.map(guid));
        put("linkPolicy", original.policy.map(|p| p.to_string().into()));
        if let Some(partition) = &self.wanted.partition {
            put("pkeyInterface", Some(partition.ifname.as_str().into()));
            put("pkeyOfInterface", Some(partition.pkey.to_string().into()));
        }
        put("driver", original.driver.as_deref().map(Value::from));
        if let Some(lodging) = &self.lodging {
            for (key, value) in lodging.netns.entries() {
                put(key, Some(value));
            }
            put("since", Some(lodging.since.into()));
        }
        if let Some(rdma) = &self.rdma {
            put("rdmaIndex", rdma.index.map(Value::from));
            put("rdmaNodeGUID", rdma.node_guid.map(guid));
        }
        let siblings: Vec<Value> = self.siblings.iter().map(sibling).collect();
        put(
            "rdmaDevices",
            (!siblings.is_empty()).then(|| siblings.into()),
        );
        Value::Object(object)
    }
}

fn sibling(device: &RdmaDevice) -> Value {
    let mut object = Map::new();
    object.extend(
        device
            .index
            .map(|index| ("rdmaIndex".to_owned(), index.into())),
    );
    let guid = device.node_guid.map(|guid| guid.to_string());
    object.extend(guid.map(|guid| ("rdmaNodeGUID".to_owned(), guid.into())));
    for (key, name) in [
        ("sandboxRdmaDevName", &device.host_name),
        ("containerRdmaDevName", &device.pod_name),
    ] {
        object.insert(key.to_owned(), name.as_str().into());
    }
    Value::Object(object)
}

//! The network attachments of `deployment/`, read by the plugins that they are for.

use serde_json::{Map, Value, json};

use super::ib_sriov::config::{GuidPolicy, Settings as IbSriov};
use super::rdma::config::Settings as Rdma;
use crate::cni::call::{Call, Verb};
use crate::cni::{Config, Failure};
use crate::types::RdmaNaming;

const SRIOV_RDMA: &str = include_str!("../../deployment/workload/network-sriov-rdma.yaml");
const IB_SRIOV: &str = include_str!("../../deployment/workload/network-ib-sriov.yaml");
const IB_KUBERNETES: &str = include_str!("../../deployment/workload/network-ib-kubernetes.yaml");

const CALL: Call = Call {
    verb: Verb::Add,
    container: String::new(),
    netns: String::new(),
    ifname: String::new(),
    args: String::new(),
    path: String::new(),
    netns_override: false,
};

/// The configuration in an attachment: the indented lines below `config: |`.
fn embedded(attachment: &str) -> Value {
    let (_, below) = attachment.split_once("  config: |\n").unwrap();
    let mut lines = below.lines();
    let text: String = lines
        .by_ref()
        .take_while(|line| line.starts_with("    "))
        .collect();
    assert_eq!(
        lines.next(),
        None,
        "something comes behind the configuration"
    );
    serde_json::from_str(&text).unwrap()
}

/// What the plugin of this type gets, as Multus and a runtime hand it down.
fn handed_down(network: &Value, plugin: &str) -> String {
    let plugins = network["plugins"].as_array();
    let plugins = plugins.map_or(std::slice::from_ref(network), Vec::as_slice);
    let ours = plugins.iter().find(|each| each["type"] == plugin).unwrap();
    let mut config: Map<String, Value> = ours.as_object().unwrap().clone();
    for key in ["cniVersion", "name"] {
        config.insert(key.to_owned(), network[key].clone());
    }
    config.insert("deviceID".to_owned(), json!("0000:01:00.2"));
    Value::from(config).to_string()
}

/// Each object has a name that is the network's, so that a pod's annotation and records agree.
#[test]
fn named_as_their_objects_are() {
    for attachment in [SRIOV_RDMA, IB_SRIOV, IB_KUBERNETES] {
        let network = embedded(attachment);
        let name = network["name"].as_str().unwrap();
        assert!(
            attachment.contains(&format!("\n  name: {name}\n")),
            "{name}"
        );
        assert_eq!(network["cniVersion"], "1.0.0");
    }
}

#[test]
fn rdma_behind_sriov() {
    let network = embedded(SRIOV_RDMA);
    assert_eq!(network["plugins"][0]["type"], "sriov");
    let text = handed_down(&network, "rdma");
    let settings = Rdma::read(&CALL, &Config::parse(&text).unwrap()).unwrap();
    assert_eq!(settings.device, "0000:01:00.2");
    assert!(
        matches!(settings.naming, RdmaNaming::Counted(_)),
        "{settings:?}"
    );
}

#[test]
fn ib_sriov_makes_guids() {
    let text = handed_down(&embedded(IB_SRIOV), "ib-sriov");
    let settings = IbSriov::read(&CALL, &Config::parse(&text).unwrap()).unwrap();
    assert_eq!(settings.guid_policy, GuidPolicy::Generate);
    assert!(
        settings.isolation && settings.policy.is_some(),
        "{settings:?}"
    );
}

/// Without what ib-kubernetes writes into it, the pod has to wait.
#[test]
fn ib_kubernetes_has_its_say() {
    let mut network = embedded(IB_KUBERNETES);
    let read = |network: &Value| -> Result<IbSriov, Failure> {
        let text = handed_down(network, "ib-sriov");
        IbSriov::read(&CALL, &Config::parse(&text).unwrap())
    };
    let refused = read(&network).unwrap_err();
    assert!(refused.to_string().contains("ib-kubernetes"), "{refused}");
    network["args"] = json!({"cni": {
        "guid": "02:00:00:00:00:00:00:0a", "mellanox.infiniband.app": "configured",
    }});
    let settings = read(&network).unwrap();
    assert!(settings.guid.is_some() && settings.isolation);
    assert_eq!(settings.pkey, "0x7fff");
}

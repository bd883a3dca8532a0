//! The schema and the reader of documents say the same of every document here, and so of each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::path::Path;

use rdmactl::provision::document::{Language, Part, parse};
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../deployment/provision.schema.json");
const EXAMPLE: &str = include_str!("../deployment/provision.toml");

fn schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// What the reader finds wrong in a JSON document.
fn faults(document: &Value) -> Vec<String> {
    let text = document.to_string();
    let part = Part {
        path: Path::new("x.json"),
        text: &text,
        language: Language::Json,
    };
    let faults = parse(&[part]).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

/// The part of TOML that has a counterpart in JSON.
fn as_json(value: &toml::de::DeValue<'_>) -> Value {
    use toml::de::DeValue;
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => json!(number.as_str().parse::<i64>().unwrap()),
        DeValue::Boolean(flag) => json!(flag),
        DeValue::Array(list) => list.iter().map(|each| as_json(each.get_ref())).collect(),
        DeValue::Table(table) => {
            let members = table.iter();
            let members =
                members.map(|(key, value)| (key.get_ref().to_string(), as_json(value.get_ref())));
            Value::Object(members.collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_is_valid_as_toml_and_as_json() {
    let part = Part {
        path: Path::new("provision.toml"),
        text: EXAMPLE,
        language: Language::Toml,
    };
    let read = parse(&[part]).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!((read.pfs.len(), read.modules.len()), (2, 3));
    let table = toml::de::DeTable::parse(EXAMPLE).unwrap();
    let json = as_json(&toml::de::DeValue::Table(table.into_inner()));
    assert!(faults(&json).is_empty(), "{:?}", faults(&json));
    if let Err(error) = schema().validate(&json) {
        panic!("{error}: {}", error.instance_path());
    }
    // Every key that there is has a place in the example.
    let text = schema_keys();
    for key in text {
        assert!(EXAMPLE.contains(&key), "the example does not show {key}");
    }
}

/// The keys of a PF, its VFs, the host and the policy.
fn schema_keys() -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let places = [
        &schema["properties"],
        &schema["properties"]["host"]["properties"],
        &schema["properties"]["policy"]["properties"],
        &schema["$defs"]["pf"]["properties"],
        &schema["$defs"]["pf"]["properties"]["match"]["properties"],
        &schema["$defs"]["vf"]["properties"],
        &schema["$defs"]["common"]["properties"],
    ];
    let keys: Vec<String> = places
        .iter()
        .flat_map(|place| place.as_object().unwrap().keys().cloned())
        .collect();
    assert!(keys.len() > 30, "{keys:?}");
    keys
}

#[test]
fn both_take_and_refuse_the_same() {
    let schema = schema();
    let pf = |more: Value| {
        let mut pf = json!({"match": {"pci": "0000:01:00.0"}});
        for (key, value) in more.as_object().unwrap() {
            pf[key] = value.clone();
        }
        json!({"version": 1, "pf": [pf]})
    };
    let guid = "02:00:00:00:00:00:00:01";
    let mac = "02:00:00:00:00:01";
    let good = [
        json!({"version": 1}),
        json!({"version": 1, "host": {}, "policy": {}, "pf": []}),
        json!({"version": 1, "host": {"rdma_netns": "unmanaged", "site": "a"}}),
        pf(json!({})),
        pf(json!({"num_vfs": "max"})),
        pf(json!({"num_vfs": 0, "up": true, "ownership": "observe"})),
        pf(json!({"guid": {"mode": "keep"}, "mac": {"mode": "unmanaged"}})),
        pf(json!({"guid": {"mode": "list", "list": [guid]}})),
        pf(json!({"guid": {"mode": "range", "start": guid, "end": guid}})),
        pf(json!({"mac": {"mode": "range", "start": mac, "end": mac}})),
        pf(json!({"vf": [{"range": "3", "mac": mac, "vlan": 4, "qos": 1}]})),
        pf(json!({"vf": [{"range": "3", "node_guid": guid, "port_guid": guid}]})),
        pf(json!({"vf_defaults": {"driver": "none", "policy": "up"}})),
        pf(json!({"eswitch": "switchdev", "vf_defaults": {"msix": 2048}})),
        pf(
            json!({"vf": [{"range": "3", "managed": false}, {"range": "4", "managed": true, "msix": 1}]}),
        ),
        pf(json!({"guid": {"mode": "file", "file": "/etc/guids"}})),
        json!({"version": 1, "host": {"reserved": [{"start": guid, "end": guid}]}}),
        json!({"version": 1, "pf": [{"match": {"serial": "MT20 X"}}]}),
    ];
    for document in &good {
        assert!(
            faults(document).is_empty(),
            "{document}: {:?}",
            faults(document)
        );
        assert!(schema.is_valid(document), "{document}");
    }
    let bad = [
        json!([]),
        json!({}),
        json!({"version": 2}),
        json!({"version": "1"}),
        json!({"version": 1, "hosts": {}}),
        json!({"version": 1, "host": {"rdma_netns": true}}),
        json!({"version": 1, "host": {"modules": ["../x"]}}),
        json!({"version": 1, "policy": {"wait": "1h"}}),
        json!({"version": 1, "policy": {"firmware": "reset"}}),
        json!({"version": 1, "pf": {}}),
        json!({"version": 1, "pf": [{}]}),
        json!({"version": 1, "pf": [{"match": {}}]}),
        json!({"version": 1, "pf": [{"match": {"pci": "0000:01:00.9"}}]}),
        json!({"version": 1, "pf": [{"match": {"vendor_device": "15b3"}}]}),
        pf(json!({"num_vfs": -1})),
        pf(json!({"num_vfs": 65536})),
        pf(json!({"num_vfs": 1.5})),
        pf(json!({"num_vfs": "all"})),
        pf(json!({"up": null})),
        pf(json!({"guid": {}})),
        pf(json!({"guid": {"mode": "random"}})),
        pf(json!({"guid": {"mode": "keep", "list": []}})),
        pf(json!({"guid": {"mode": "list", "list": [guid, guid]}})),
        pf(json!({"guid": {"mode": "list", "list": ["1"]}})),
        pf(json!({"guid": {"mode": "range", "start": guid}})),
        pf(json!({"mac": {"mode": "list", "list": [guid]}})),
        pf(json!({"vf_defaults": {"guid": guid}})),
        pf(json!({"vf_defaults": {"proto": "802.1q", "vlan": 1}})),
        pf(json!({"vf": [{}]})),
        pf(json!({"eswitch": "offloads"})),
        pf(json!({"vf_defaults": {"msix": 0}})),
        pf(json!({"vf_defaults": {"managed": false}})),
        pf(json!({"vf": [{"range": "3", "managed": false, "msix": 1}]})),
        pf(json!({"guid": {"mode": "file"}})),
        pf(json!({"guid": {"mode": "file", "file": "guids"}})),
        pf(json!({"mac": {"mode": "file", "file": "/etc/macs"}})),
        json!({"version": 1, "host": {"reserved": [{"start": guid}]}}),
        json!({"version": 1, "pf": [{"match": {"serial": " x"}}]}),
        pf(json!({"vf": [{"range": "a"}]})),
        pf(json!({"vf": [{"range": 3}]})),
        pf(json!({"vf": [{"range": "3", "qos": 1}]})),
        pf(json!({"vf": [{"range": "3", "vlan": 4095}]})),
        pf(json!({"vf": [{"range": "3", "max_rate": 4294967296u64}]})),
    ];
    for document in &bad {
        assert!(!faults(document).is_empty(), "{document}");
        assert!(!schema.is_valid(document), "{document}");
    }
}

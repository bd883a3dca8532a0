//! Any input at all: no panic, and one JSON document or none.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;
use rdmactl::plugins::{Plugin, Stdio, run};
use serde_json::Value;

use crate::pod::{Machine, VF_ID, config};

const NAMES: [&str; 8] = [
    "CNI_COMMAND",
    "CNI_CONTAINERID",
    "CNI_NETNS",
    "CNI_IFNAME",
    "CNI_ARGS",
    "CNI_PATH",
    "CNI_NETNS_OVERRIDE",
    "TRACEPARENT",
];

fn any_call(
    machine: &Machine,
    plugin: Option<Plugin>,
    env: Vec<(OsString, OsString)>,
    stdin: &[u8],
) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let stdio = Stdio {
        input: &mut &*stdin,
        out: &mut out,
        err: &mut err,
    };
    let host = machine.core.host(machine.dir.path());
    let status = run(plugin, &env.into_iter().collect(), stdio, &host);
    let text = String::from_utf8(out).unwrap();
    if text.is_empty() {
        assert_eq!(status, 0);
        return;
    }
    let value: Value = serde_json::from_str(&text).unwrap();
    if status != 0 {
        assert_ne!(value["code"], 999, "{text}");
        assert!(value["cniVersion"].is_string() && value["msg"].is_string());
    }
    machine.assert_clean();
}

fn verb() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION", "add", "",
    ])
    .prop_map(str::to_owned)
}

/// JSON that looks like a configuration, with any value in any place.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z0-9./:-]{0,20}".prop_map(Value::from),
        prop::sample::select(vec!["1.0.0", "0.3.1", "1.1.0", VF_ID, "net", "rdma"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let keys = prop::sample::select(vec![
            "name",
            "cniVersion",
            "type",
            "deviceID",
            "DEVICEID",
            "prevResult",
            "runtimeConfig",
            "args",
            "cni",
            "debug",
            "interfaces",
            "ips",
            "mac",
            "address",
            "routes",
            "dst",
            "cni.dev/valid-attachments",
            "containerID",
            "ifname",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes(
        env in prop::collection::vec((prop::sample::select(NAMES.to_vec()), prop::collection::vec(1u8.., 0..24)), 0..8),
        stdin in prop::collection::vec(any::<u8>(), 0..300),
        named in any::<bool>(),
    ) {
        let machine = Machine::new();
        let env = env.into_iter().map(|(name, value)| (name.into(), OsString::from_vec(value))).collect();
        any_call(&machine, named.then_some(Plugin::Rdma), env, &stdin);
    }

    #[test]
    fn any_configuration(verb in verb(), config in value(), netns in "(/run/netns/x|/|/proc|)") {
        let machine = Machine::new();
        let env = vec![
            ("CNI_COMMAND".into(), verb.into()),
            ("CNI_CONTAINERID".into(), "c1".into()),
            ("CNI_NETNS".into(), netns.into()),
            ("CNI_IFNAME".into(), "net1".into()),
            ("CNI_PATH".into(), "/p".into()),
        ];
        any_call(&machine, Some(Plugin::Rdma), env, config.to_string().as_bytes());
    }

    #[test]
    fn a_configuration_with_a_byte_changed(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let machine = Machine::new();
        let mut bytes = config(VF_ID).to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        for verb in ["ADD", "DEL"] {
            let env = vec![
                ("CNI_COMMAND".into(), verb.into()),
                ("CNI_CONTAINERID".into(), "c1".into()),
                ("CNI_NETNS".into(), "/run/netns/none".into()),
                ("CNI_IFNAME".into(), "net1".into()),
                ("CNI_PATH".into(), "/p".into()),
            ];
            any_call(&machine, Some(Plugin::Rdma), env, &bytes);
        }
    }
}

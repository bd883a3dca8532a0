//! The keys of the two plugins: what they do not read, and values that they refuse.

use serde_json::{Map, Value};

use super::chain_file::{ChainFile, Content, IB_SRIOV, ISOLATION, RDMA, is, member};
use super::{Facts, Finding, Id, plugins};
use crate::types::near::near;
use crate::types::{Guid, LinkPolicy, PciAddr, RdmaNaming};

/// Keys of every plugin (`types.NetConf` of CNI), and those that Multus and runtimes put in.
const COMMON: [&str; 13] = [
    "cniVersion",
    "name",
    "type",
    "args",
    "capabilities",
    "runtimeConfig",
    "ipam",
    "dns",
    "prevResult",
    "deviceID",
    "pciBusID",
    "logLevel",
    "logFile",
];
const OF_IB_SRIOV: [&str; 5] = [
    "pkey",
    "link_state",
    ISOLATION,
    "ibKubernetesEnabled",
    "vfioPciMode",
];

/// Keys that this program reads, and the Go plugin of the same name does not.
const OURS_OF_RDMA: [&str; 3] = ["rdmaDeviceName", "rdmaMode", "logFormat"];
const OURS_OF_IB_SRIOV: [&str; 3] = ["guid", "guidPolicy", "logFormat"];

/// Keys whose value says yes or no.
const SWITCHES: [&str; 3] = [ISOLATION, "ibKubernetesEnabled", "vfioPciMode"];

/// What one of the two plugins reads.
struct Keys {
    kind: &'static str,
    /// Whichever program it is.
    all: Vec<&'static str>,
    /// This program only.
    ours: &'static [&'static str],
}

impl Keys {
    /// `None` for other plugins.
    fn of(plugin: &Map<String, Value>) -> Option<Self> {
        if is(plugin, RDMA) {
            Some(Self {
                kind: RDMA,
                all: COMMON.to_vec(),
                ours: &OURS_OF_RDMA,
            })
        } else if is(plugin, IB_SRIOV) {
            Some(Self {
                kind: IB_SRIOV,
                all: [&COMMON[..], &OF_IB_SRIOV].concat(),
                ours: &OURS_OF_IB_SRIOV,
            })
        } else {
            None
        }
    }
}

pub(super) fn unknown(facts: &Facts<'_>, chain: &ChainFile, content: &Content) -> Option<Finding> {
    let mut finding = Finding::about(Id::ChainsUnknownKey, chain.path.as_str());
    for (at, plugin) in content.plugins.iter().enumerate() {
        let Some(keys) = Keys::of(plugin) else {
            continue;
        };
        let among = |known: &[&str], key: &str| known.iter().any(|k| k.eq_ignore_ascii_case(key));
        // The runtime's own, and what people write for each other.
        let is_others = |key: &str| key.starts_with("cni.dev/") || key.starts_with('_');
        for key in plugin
            .keys()
            .filter(|key| !among(&keys.all, key) && !is_others(key))
        {
            let hint = if among(keys.ours, key) {
                let Some(stranger) = plugins::stranger(facts, keys.kind) else {
                    continue;
                };
                format!("; rdmactl reads it, and {stranger} is another program")
            } else {
                let known = keys.all.iter().chain(keys.ours).copied();
                let near = near(key, known);
                let near = near.first();
                near.map_or_else(String::new, |near| format!("; {near} is one that it reads"))
            };
            let place = format!("{}, plugin {}", chain.path, at + 1);
            finding = finding.saw(place, format!("\"{key}\"{hint}"));
        }
    }
    (!finding.evidence.is_empty())
        .then(|| finding.advise("write the key that is meant, or take it out"))
}

pub(super) fn values(chain: &ChainFile, content: &Content) -> Option<Finding> {
    let mut finding = Finding::about(Id::ChainsValue, chain.path.as_str());
    for (at, plugin) in content.plugins.iter().enumerate() {
        let Some(keys) = Keys::of(plugin) else {
            continue;
        };
        for (key, wanted) in wrong(plugin, keys.kind) {
            let place = format!("{}, plugin {}", chain.path, at + 1);
            finding = finding.saw(place, format!("\"{key}\" must be {wanted}"));
        }
    }
    (!finding.evidence.is_empty()).then(|| finding.advise("write a value that the plugin takes"))
}

/// Whether a plugin takes the text of a key; to it an empty one is as none.
type Takes = fn(&str) -> bool;

/// A key, whether its text is taken, and what would be.
type Rule = (&'static str, Takes, &'static str);

const RULES_OF_RDMA: [Rule; 3] = [
    ("deviceID", |_| true, "a string"),
    (
        "rdmaDeviceName",
        |word| word.parse::<RdmaNaming>().is_ok(),
        "keep, a name such as rocep1, or a pattern such as mlx5_%d",
    ),
    (
        "rdmaMode",
        |word| matches!(word, "required" | "skip"),
        "required or skip",
    ),
];

const RULES_OF_IB_SRIOV: [Rule; 5] = [
    (
        "deviceID",
        |word| word.parse::<PciAddr>().is_ok(),
        "the PCI address of a VF",
    ),
    (
        "guid",
        |word| word.parse::<Guid>().is_ok_and(Guid::is_assignable),
        "16 hex digits, as 02:00:00:00:00:00:00:aa, neither all zeros nor all ones",
    ),
    (
        "guidPolicy",
        |word| matches!(word, "require" | "keep" | "generate"),
        "require, keep or generate",
    ),
    (
        "link_state",
        |word| word.parse::<LinkPolicy>().is_ok(),
        "auto, enable or disable",
    ),
    ("pkey", |_| true, "a string"),
];

/// Keys with a value that their plugin refuses, and what it would take.
fn wrong(plugin: &Map<String, Value>, kind: &str) -> Vec<(&'static str, &'static str)> {
    let rules = match kind == RDMA {
        true => &RULES_OF_RDMA[..],
        false => &RULES_OF_IB_SRIOV,
    };
    let mut wrong = Vec::new();
    for (key, takes, wanted) in rules {
        let taken = |value: &Value| {
            let text = value.as_str();
            text.is_some_and(|text| text.is_empty() || takes(text))
        };
        if member(plugin, key).is_some_and(|value| !taken(value)) {
            wrong.push((*key, *wanted));
        }
    }
    if kind != IB_SRIOV {
        return wrong;
    }
    for key in SWITCHES {
        if member(plugin, key).is_some_and(|value| !value.is_boolean()) {
            wrong.push((key, "true or false, without quotes"));
        }
    }
    let ipam = member(plugin, "ipam").and_then(Value::as_object);
    if ipam.is_some_and(|ipam| is(ipam, "dhcp")) {
        wrong.push((
            "ipam.type",
            "host-local, static or whereabouts: dhcp needs an Ethernet address",
        ));
    }
    wrong
}

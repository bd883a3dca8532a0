//! The configuration files of CNI: what cannot be read, what cannot work, what is not meant so.

use serde_json::{Map, Value};

use super::chain_file::{ChainFile, Content, is, member};
use super::{Facts, Finding, Id};
use crate::types::NetnsMode;
use crate::types::near::near;

const RDMA: &str = "rdma";
const IB_SRIOV: &str = "ib-sriov";
const ISOLATION: &str = "rdmaIsolation";

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

/// Keys whose value says yes or no.
const SWITCHES: [&str; 3] = [ISOLATION, "ibKubernetesEnabled", "vfioPciMode"];
const LINK_STATES: [&str; 3] = ["auto", "enable", "disable"];

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for chain in facts.chains() {
        match &chain.content {
            Err(why) => found.push(
                Finding::about(Id::ChainsUnreadable, chain.path.as_str())
                    .saw(chain.path.as_str(), why.as_str())
                    .advise("mend the file, or move it away: the runtime reads every file of the folder"),
            ),
            Ok(content) => {
                found.extend(together(chain, content));
                found.extend(first(chain, content));
                found.extend(shared_mode(facts, chain, content));
                found.extend(unknown_keys(chain, content));
                found.extend(values(chain, content));
            }
        }
    }
    found
}

fn isolates(plugin: &Map<String, Value>) -> bool {
    is(plugin, IB_SRIOV) && member(plugin, ISOLATION) == Some(&Value::Bool(true))
}

/// The two plugins in one chain, which is wrong in any order.
fn together(chain: &ChainFile, content: &Content) -> Option<Finding> {
    let (rdma, _) = content.find(RDMA)?;
    let (sriov, plugin) = content.find(IB_SRIOV)?;
    let places = format!(
        "{IB_SRIOV} is plugin {}, {RDMA} plugin {}",
        sriov + 1,
        rdma + 1
    );
    let (id, isolation) = match isolates(plugin) {
        true => (Id::ChainsIsolationTwice, "true"),
        false => (Id::ChainsOrder, "not true"),
    };
    let others = content.plugins.iter().filter(|plugin| !is(plugin, RDMA));
    let isolated = others.cloned().map(|mut plugin| {
        if is(&plugin, IB_SRIOV) {
            let key = plugin
                .keys()
                .find(|key| key.eq_ignore_ascii_case(ISOLATION));
            let key = key.map_or_else(|| ISOLATION.to_owned(), String::clone);
            plugin.insert(key, Value::Bool(true));
        }
        plugin
    });
    Some(
        Finding::about(id, chain.path.as_str())
            .saw(
                chain.path.as_str(),
                format!("{places}; {ISOLATION} is {isolation}"),
            )
            .advise(format!("leave the RDMA device to {IB_SRIOV}"))
            .write(
                chain.path.as_str(),
                content.with_plugins(isolated.collect()),
            ),
    )
}

fn first(chain: &ChainFile, content: &Content) -> Option<Finding> {
    let (at, plugin) = content.find(RDMA)?;
    if at > 0 || content.find(IB_SRIOV).is_some() {
        return None;
    }
    let finding = Finding::about(Id::ChainsFirst, chain.path.as_str());
    if content.plugins.len() == 1 {
        let alone = match content.is_list {
            true => "rdma is the only plugin",
            false => "rdma, and no list of plugins",
        };
        return Some(finding.saw(chain.path.as_str(), alone).advise(
            "put the plugin that brings the network interface, such as host-device or sriov, in front of it, in a file that ends in .conflist",
        ));
    }
    let mut plugins = content.plugins.clone();
    plugins.remove(at);
    plugins.push(plugin.clone());
    Some(
        finding
            .saw(chain.path.as_str(), "rdma is plugin 1")
            .write(chain.path.as_str(), content.with_plugins(plugins)),
    )
}

fn shared_mode(facts: &Facts<'_>, chain: &ChainFile, content: &Content) -> Option<Finding> {
    let moves = match content.find(RDMA) {
        Some(_) => "has a plugin of type rdma",
        None if content.plugins.iter().any(isolates) => "has ib-sriov with rdmaIsolation",
        None => return None,
    };
    (facts.mode() == Some(NetnsMode::Shared)).then(|| {
        Finding::about(Id::ChainsSharedMode, chain.path.as_str())
            .saw(chain.path.as_str(), moves)
            .saw("rdma system show", "netns shared")
            .run("rdmactl system set netns exclusive --persist")
    })
}

/// Of the two plugins that are this project's business.
fn known_keys(plugin: &Map<String, Value>) -> Option<Vec<&'static str>> {
    if is(plugin, RDMA) {
        Some(COMMON.to_vec())
    } else if is(plugin, IB_SRIOV) {
        Some([&COMMON[..], &OF_IB_SRIOV].concat())
    } else {
        None
    }
}

fn unknown_keys(chain: &ChainFile, content: &Content) -> Option<Finding> {
    let mut finding = Finding::about(Id::ChainsUnknownKey, chain.path.as_str());
    for (at, plugin) in content.plugins.iter().enumerate() {
        let Some(known) = known_keys(plugin) else {
            continue;
        };
        let is_known = |key: &str| known.iter().any(|known| known.eq_ignore_ascii_case(key));
        // The runtime's own, and what people write for each other.
        let is_others = |key: &str| key.starts_with("cni.dev/") || key.starts_with('_');
        for key in plugin
            .keys()
            .filter(|key| !is_known(key) && !is_others(key))
        {
            let hint = match (key.as_str(), near(key, known.iter().copied()).first()) {
                ("guid", _) => {
                    "; a GUID goes to args.cni.guid or runtimeConfig.infinibandGUID".to_owned()
                }
                (_, Some(near)) => format!("; {near} is one that it reads"),
                (_, None) => String::new(),
            };
            let place = format!("{}, plugin {}", chain.path, at + 1);
            finding = finding.saw(place, format!("\"{key}\"{hint}"));
        }
    }
    (!finding.evidence.is_empty())
        .then(|| finding.advise("write the key that is meant, or take it out"))
}

fn values(chain: &ChainFile, content: &Content) -> Option<Finding> {
    let mut finding = Finding::about(Id::ChainsValue, chain.path.as_str());
    for (at, plugin) in content.plugins.iter().enumerate() {
        let Some(_) = known_keys(plugin) else {
            continue;
        };
        for (key, wanted) in wrong(plugin) {
            let place = format!("{}, plugin {}", chain.path, at + 1);
            finding = finding.saw(place, format!("\"{key}\" must be {wanted}"));
        }
    }
    (!finding.evidence.is_empty()).then(|| finding.advise("write a value that the plugin takes"))
}

/// Keys with a value that their plugin refuses, and what it would take.
fn wrong(plugin: &Map<String, Value>) -> Vec<(&'static str, &'static str)> {
    let mut wrong = Vec::new();
    if member(plugin, "deviceID").is_some_and(|value| !value.is_string()) {
        wrong.push(("deviceID", "a string"));
    }
    if !is(plugin, IB_SRIOV) {
        return wrong;
    }
    for key in SWITCHES {
        if member(plugin, key).is_some_and(|value| !value.is_boolean()) {
            wrong.push((key, "true or false, without quotes"));
        }
    }
    let state = member(plugin, "link_state");
    if state.is_some_and(|state| !state.as_str().is_some_and(|s| LINK_STATES.contains(&s))) {
        wrong.push(("link_state", "auto, enable or disable"));
    }
    let ipam = member(plugin, "ipam").and_then(Value::as_object);
    if ipam.is_some_and(|ipam| is(ipam, "dhcp")) {
        wrong.push((
            "ipam.type",
            "another than dhcp, which does not work on IPoIB",
        ));
    }
    wrong
}

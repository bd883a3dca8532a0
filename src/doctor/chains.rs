//! The configuration files of CNI: what cannot be read, and chains that cannot work.

use serde_json::{Map, Value};

use super::chain_file::{ChainFile, Content, IB_SRIOV, ISOLATION, RDMA, is, member};
use super::{Facts, Finding, Id, chain_keys};
use crate::types::NetnsMode;

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
                found.extend(chain_keys::unknown(facts, chain, content));
                found.extend(chain_keys::values(chain, content));
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
            .advise(format!("remove rdma from the list of plugins, and set \"{ISOLATION}\": true for {IB_SRIOV}, which moves both"))
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

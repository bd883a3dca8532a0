//! `provision status`: what there is, and what is left to do to it, as rows.

use std::collections::BTreeSet;

use super::words;
use crate::provision::document::{Document, Ownership, PfEntry};
use crate::provision::firmware::{Judgement, Standing, WaitsFor};
use crate::provision::observed::{Found, HostState, Observed, PfState};
use crate::provision::plan::{Plan, Step, Target};
use crate::sriov::managers::Claim;
use crate::types::PciAddr;
use crate::view::{Field, Row, boot};

/// The VFs whose driver is at work to start, by PF and index.
type Starting = BTreeSet<(PciAddr, u16)>;

/// The host, and each PF with its VFs: those that are there, and those that are to be.
pub fn rows(
    document: &Document,
    observed: &Observed,
    plan: &Plan,
    starting: &Starting,
    claims: &[Claim],
) -> Vec<Row> {
    let mut rows = vec![host(&observed.host, plan)];
    for (entry, found) in document.pfs.iter().zip(&observed.pfs) {
        if let Found::One(state) = found {
            let mut row = pf(state, plan);
            row.extend(firmware(observed.firmware.get(&state.pf.address)));
            row.extend(managers(entry, state, claims));
            rows.push(row);
            rows.extend(vfs(state, plan, starting));
        }
    }
    rows
}

fn host(state: &HostState, plan: &Plan) -> Row {
    let mut row = vec![
        Field::new("kind", "", "host").not_in_text(),
        Field::with_text("name", "NAME", "host ".to_owned(), "host"),
    ];
    row.extend(standing(plan, Target::Host, true));
    if let Some(mode) = state.netns.running {
        let text = format!("netns {mode} ");
        row.push(Field::with_text("netns", "", text, mode.as_str()));
    }
    row.extend(boot::fields(&state.netns).into_iter().map(|field| Field {
        head: "".into(),
        ..field
    }));
    row
}

fn pf(state: &PfState, plan: &Plan) -> Row {
    let address = state.pf.address;
    let is_troubled = plan
        .troubles
        .iter()
        .any(|trouble| trouble.pf == Some(address));
    let name = state.name.as_str();
    let mut row = vec![
        Field::new("kind", "", "pf").not_in_text(),
        Field::with_text("name", "NAME", format!("pf {name} "), name),
        Field::new("pci", "PCI", address.to_string()),
    ];
    row.extend(standing(plan, Target::Pf(address), !is_troubled));
    if let Some(layer) = state.layer {
        row.push(Field::new("link_layer", "", layer.to_string()).not_in_text());
    }
    if let Some(driver) = &state.driver {
        row.push(Field::new("driver", "DRIVER", driver.as_str()));
    }
    let vfs = u64::try_from(state.pf.vfs.len()).unwrap_or(u64::MAX);
    row.push(Field::new("vfs", "", vfs));
    row.push(Field::new("total_vfs", "", u32::from(state.pf.total_vfs)));
    if let Some(mode) = state.eswitch {
        row.push(Field::new("eswitch", "", mode.as_str()));
    }
    row
}

/// What the firmware works with, and what it will work with, where that is not what is declared.
fn firmware(standing: Option<&Standing>) -> Option<Field> {
    let judged = match standing? {
        Standing::Unknown(why) => {
            let text = format!("firmware \"{}\" ", why.replace('"', "'"));
            return Some(Field::with_text("firmware", "", text, why.as_str()));
        }
        Standing::Known(judged) => judged,
    };
    let of = |number: Option<u64>| number.map_or("unknown".to_owned(), |number| number.to_string());
    let lines: Vec<String> = judged
        .iter()
        .filter_map(|(judgement, waits)| match judgement {
            Judgement::Fulfilled { .. } => None,
            Judgement::Change { key, from, to } => {
                Some(format!("{key} current {} declared {to}", of(*from)))
            }
            Judgement::Pending { key, from, to } => {
                let how = match waits {
                    WaitsFor::Reboot => "after a reboot".to_owned(),
                    WaitsFor::PowerCycle { restarts: 0 } => "after a power cycle".to_owned(),
                    WaitsFor::PowerCycle { restarts: 1 } => {
                        "after a power cycle: 1 restart has not brought it".to_owned()
                    }
                    WaitsFor::PowerCycle { restarts } => {
                        format!("after a power cycle: {restarts} restarts have not brought it")
                    }
                };
                Some(format!("{key} current {} next {to} {how}", of(*from)))
            }
            Judgement::Impossible { key, to, obstacle } => {
                Some(format!("{key} declared {to}, and {}", obstacle.words()))
            }
        })
        .collect();
    let text = format!("firmware \"{}\" ", lines.join(", "));
    (!lines.is_empty()).then(|| Field::with_text("firmware", "", text, lines))
}

/// Who else is configured to make its VFs.
fn managers(entry: &PfEntry, state: &PfState, claims: &[Claim]) -> Option<Field> {
    let words = state.words();
    let meant = claims.iter().filter(|claim| claim.may_mean(&words));
    let lines: Vec<String> = meant
        .map(|claim| format!("{} {}", claim.manager.as_str(), claim.place()))
        .collect();
    let is_ours = entry.ownership == Ownership::Full && !lines.is_empty();
    let text = format!("also_made_by \"{}\" ", lines.join(", "));
    is_ours.then(|| Field::with_text("also_made_by", "", text, lines))
}

fn vfs(state: &PfState, plan: &Plan, starting: &Starting) -> Vec<Row> {
    let address = state.pf.address;
    let mut indices: BTreeSet<u16> = state.pf.vfs.iter().map(|vf| vf.index).collect();
    indices.extend(plan.steps.iter().filter_map(|step| match step.target {
        Target::Vf(pf, index) if pf == address => Some(index),
        _ => None,
    }));
    indices
        .into_iter()
        .map(|index| {
            let starts = starting.contains(&(address, index));
            vf(state, plan, index, starts)
        })
        .collect()
}

fn vf(state: &PfState, plan: &Plan, index: u16, starts: bool) -> Row {
    let name = format!("{}/{index}", state.name);
    let mut row = vec![
        Field::new("kind", "", "vf").not_in_text(),
        Field::with_text("name", "NAME", format!("vf {name} "), name),
        Field::new("pf_pci", "", state.pf.address.to_string()).not_in_text(),
        Field::new("index", "", u32::from(index)).not_in_text(),
    ];
    let there = state.pf.vf(index);
    if let Some(vf) = there {
        row.push(Field::new("pci", "PCI", vf.address.to_string()));
    }
    let target = Target::Vf(state.pf.address, index);
    let word = match there {
        Some(_) if starts => Some("starting"),
        Some(_) => None,
        None => Some("missing"),
    };
    let standing = standing(plan, target, true);
    let word = word.map(|word| Field::new("standing", "STANDING", word));
    let skipped = usize::from(word.is_some());
    row.extend(word);
    row.extend(standing.into_iter().skip(skipped));
    if let Some(side) = state.sides.get(&index) {
        let driver = side.driver.as_deref();
        row.extend(driver.map(|driver| Field::new("driver", "DRIVER", driver)));
        let rdma = side.rdma.first();
        row.extend(rdma.map(|rdma| Field::new("rdma", "RDMA", rdma.name.as_str())));
        let netdev = side.netdevs.first();
        row.extend(netdev.map(|each| Field::new("netdev", "NETDEV", each.name.as_str())));
    }
    if let Some(vectors) = state.vectors.get(&index) {
        row.push(Field::new("msix", "", u32::from(*vectors)));
    }
    if let Some(told) = state.told.get(&index) {
        let text = |guid: crate::types::Guid| guid.to_string();
        row.extend(
            told.node_guid
                .map(|guid| Field::new("node_guid", "", text(guid))),
        );
        row.extend(
            told.port_guid
                .map(|guid| Field::new("port_guid", "GUID", text(guid))),
        );
        row.extend(
            told.mac
                .map(|mac| Field::new("mac", "MAC", mac.to_string())),
        );
    }
    row
}

/// Whether anything is left to do to a target, and what.
fn standing(plan: &Plan, target: Target, is_fine: bool) -> Row {
    let left: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|step| step.target == target)
        .collect();
    let word = match (is_fine, left.is_empty()) {
        (false, _) => "trouble",
        (true, true) => "ready",
        (true, false) if left.iter().any(|step| step.blocked.is_some()) => "blocked",
        (true, false) => "pending",
    };
    let blocked = left.iter().find_map(|step| step.blocked);
    let mut row = vec![Field::new("standing", "STANDING", word)];
    if !left.is_empty() {
        let lines: Vec<String> = left.into_iter().map(line).collect();
        let text = format!("left \"{}\" ", lines.join(", "));
        row.push(Field::with_text("left", "LEFT", text, lines));
        row.extend(blocked.map(|block| {
            let block = words::block(block);
            let text = format!("blocked \"{}\" ", block.replace('"', "'"));
            Field::with_text("blocked", "BLOCKED", text, block)
        }));
    }
    row
}

/// `set port_guid none -> 02:...`.
fn line(step: &Step) -> String {
    let change = words::change(&step.action);
    let mut line = change.action.to_owned();
    if let Some(key) = change.key {
        line = format!("{line} {key}");
    }
    match (change.from, change.to) {
        (Some(from), Some(to)) => format!("{line} {from} -> {to}"),
        (Some(only), None) | (None, Some(only)) => format!("{line} {only}"),
        (None, None) => line,
    }
}

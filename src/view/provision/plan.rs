//! `provision plan`: a step as a row.

use super::words;
use crate::provision::document::{Document, Ownership};
use crate::provision::observed::Observed;
use crate::provision::plan::{Action, Block, Plan, Step, Target};
use crate::sriov::managers::Claim;
use crate::view::explain::usage;
use crate::view::{Field, Row, namespace};

/// The rows of a plan, in the order in which they would be done.
pub fn rows(plan: &Plan) -> Vec<Row> {
    let numbered = plan.steps.iter().zip(1u64..);
    let row_of = |(step, number)| {
        let mut row = row(step, number);
        if matches!(step.blocked, Some(Block::Namespaces(_))) {
            let users = plan.namespaces.iter().map(namespace::describe);
            row.extend(users_field(users.collect()));
        }
        row
    };
    numbered.map(row_of).collect()
}

/// What else has VFs made of these PFs.
pub fn others(observed: &Observed, document: &Document, claims: &[Claim]) -> Vec<String> {
    let both = document.pfs.iter().zip(&observed.pfs);
    let ours = both.filter(|(entry, _)| entry.ownership == Ownership::Full);
    let mut notes = Vec::new();
    for state in ours.filter_map(|(_, found)| found.one()) {
        let words = state.words();
        for claim in claims.iter().filter(|claim| claim.may_mean(&words)) {
            let maybe = match claim.about.is_empty() {
                true => "may make",
                false => "makes",
            };
            let (pf, place) = (state.pf.address, claim.place());
            let (manager, says) = (claim.manager.as_str(), &claim.says);
            // Text of files: it must not end the line.
            let says = says.replace(char::is_control, "?");
            notes.push(format!(
                "{manager} {maybe} VFs of {pf} too ({place}: {says}): rdmactl doctor --only managers"
            ));
        }
    }
    notes
}

fn users_field(users: Vec<String>) -> Option<Field> {
    let text = users.iter().map(|user| format!("\n    user: {user}"));
    let text: String = text.collect();
    (!users.is_empty()).then(|| Field::with_text("users", "USERS", text, users))
}

/// What the steps do not say: why some will not be done, once each.
pub fn notes(plan: &Plan) -> Vec<String> {
    let blocked = plan.steps.iter().filter(|step| step.blocked.is_some());
    let (blocked, all) = (blocked.count(), plan.steps.len());
    match blocked {
        0 => Vec::new(),
        blocked => vec![format!(
            "{blocked} of {all} steps would not be done as things are"
        )],
    }
}

/// What is done, and to what.
pub(super) fn head(of: Target, action: Option<&Action>, number: u64) -> Row {
    let mut row = vec![Field::with_text(
        "step",
        "STEP",
        format!("{number} "),
        number,
    )];
    row.extend(target(of));
    let Some(action) = action else {
        return row;
    };
    let change = words::change(action);
    row.push(Field::with_text(
        "action",
        "ACTION",
        format!("{} ", change.action),
        change.action,
    ));
    if let Some(key) = change.key {
        row.push(Field::with_text("key", "KEY", format!("{key} "), key));
    }
    if let Some(from) = change.from {
        row.push(Field::new("from", "FROM", from));
    }
    if let Some(to) = change.to {
        row.push(Field::new("to", "TO", to));
    }
    row
}

pub(super) fn row(step: &Step, number: u64) -> Row {
    let mut row = head(step.target, Some(&step.action), number);
    row.push(Field::new("class", "CLASS", step.class.as_str()));
    let reason = words::reason(step.reason);
    let text = format!("reason \"{reason}\" ");
    row.push(Field::with_text("reason", "REASON", text, reason));
    if let Some(block) = step.blocked {
        let block = words::block(block);
        let text = format!("blocked \"{}\" ", block.replace('"', "'"));
        row.push(Field::with_text("blocked", "BLOCKED", text, block));
    }
    row.extend(users_field(step.users.iter().map(usage::line).collect()));
    row
}

/// What a step is about: one word for people, its parts for programs.
fn target(target: Target) -> Row {
    let (kind, word) = match target {
        Target::Host => ("host", "host".to_owned()),
        Target::Pf(pf) => ("pf", pf.to_string()),
        Target::Vf(pf, index) => ("vf", format!("{pf}/{index}")),
    };
    let text = match target {
        Target::Host => "host ".to_owned(),
        Target::Pf(_) | Target::Vf(..) => format!("{kind} {word} "),
    };
    let mut row = vec![
        Field::new("kind", "", kind).not_in_text(),
        Field::with_text("target", "TARGET", text, word),
    ];
    if let Some(pf) = target.pf() {
        row.push(Field::new("pf_pci", "", pf.to_string()).not_in_text());
    }
    if let Target::Vf(_, index) = target {
        row.push(Field::new("index", "", u32::from(index)).not_in_text());
    }
    row
}

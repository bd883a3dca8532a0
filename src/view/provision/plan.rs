//! `provision plan`: a step as a row.

use super::words;
use crate::provision::plan::{Plan, Step, Target};
use crate::view::explain::usage;
use crate::view::{Field, Row};

/// The rows of a plan, in the order in which they would be done.
pub fn rows(plan: &Plan) -> Vec<Row> {
    let numbered = plan.steps.iter().zip(1u64..);
    numbered.map(|(step, number)| row(step, number)).collect()
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

fn row(step: &Step, number: u64) -> Row {
    let mut row = vec![Field::with_text(
        "step",
        "STEP",
        format!("{number} "),
        number,
    )];
    row.extend(target(step.target));
    let change = words::change(&step.action);
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
    row.push(Field::new("class", "CLASS", step.class.as_str()));
    let reason = words::reason(step.reason);
    let text = format!("reason \"{reason}\" ");
    row.push(Field::with_text("reason", "REASON", text, reason));
    if let Some(block) = step.blocked {
        let block = words::block(block);
        let text = format!("blocked \"{}\" ", block.replace('"', "'"));
        row.push(Field::with_text("blocked", "BLOCKED", text, block));
    }
    if !step.users.is_empty() {
        let users: Vec<String> = step.users.iter().map(usage::line).collect();
        let text = users.iter().map(|user| format!("\n    user: {user}"));
        let text: String = text.collect();
        row.push(Field::with_text("users", "USERS", text, users));
    }
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

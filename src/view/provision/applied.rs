//! `provision apply`: what came of it, step by step for programs, PF by PF for people.

use std::collections::BTreeMap;

use super::{plan, words};
use crate::provision::apply::Applied;
use crate::types::PciAddr;
use crate::view::{Field, Row};

/// The steps that were done, in the order of the plan, and those that failed.
pub fn rows(applied: &Applied) -> Vec<Row> {
    let done = applied.done.iter().zip(1u64..);
    let mut rows: Vec<Row> = done
        .map(|(step, number)| {
            let mut row = plan::row(step, number);
            row.push(Field::new("outcome", "OUTCOME", "done"));
            row
        })
        .collect();
    let failed = applied.failed.iter().zip(applied.done.len() as u64 + 1..);
    rows.extend(failed.map(|(failed, number)| {
        let mut row = plan::head(failed.target, failed.action.as_ref(), number);
        row.push(Field::new("outcome", "OUTCOME", "failed"));
        row
    }));
    rows
}

/// What came of the host and of each PF: how many steps were done, how many failed, and what was done.
#[derive(Default)]
struct Sum {
    done: u64,
    failed: u64,
    left: u64,
    /// The actions, as they came first, and how often.
    actions: Vec<(&'static str, u64)>,
}

/// A row for the host and for each PF that had a step: hundreds of steps are for programs.
pub fn summary(applied: &Applied) -> Vec<Row> {
    let mut sums: BTreeMap<Option<PciAddr>, Sum> = BTreeMap::new();
    for step in &applied.done {
        let sum = sums.entry(step.target.pf()).or_default();
        sum.done += 1;
        let action = words::change(&step.action).action;
        match sum.actions.iter_mut().find(|(known, _)| *known == action) {
            Some((_, count)) => *count += 1,
            None => sum.actions.push((action, 1)),
        }
    }
    for failed in &applied.failed {
        sums.entry(failed.target.pf()).or_default().failed += 1;
    }
    for step in &applied.left.steps {
        if let Some(sum) = sums.get_mut(&step.target.pf()) {
            sum.left += 1;
        }
    }
    sums.into_iter().map(|(pf, sum)| row(pf, &sum)).collect()
}

fn row(pf: Option<PciAddr>, sum: &Sum) -> Row {
    let (text, name) = match pf {
        None => ("host ".to_owned(), "host".to_owned()),
        Some(pf) => (format!("pf {pf} "), pf.to_string()),
    };
    let mut row = vec![
        Field::with_text("target", "TARGET", text, name),
        Field::new("done", "DONE", sum.done),
    ];
    row.extend((sum.failed > 0).then(|| Field::new("failed", "FAILED", sum.failed)));
    row.extend((sum.left > 0).then(|| Field::new("left", "LEFT", sum.left)));
    let word = |(action, count): &(&'static str, u64)| match count {
        1 => (*action).to_owned(),
        count => format!("{action} {count}"),
    };
    let words: Vec<String> = sum.actions.iter().map(word).collect();
    let words = words.join(", ");
    if !words.is_empty() {
        let text = format!("steps \"{words}\" ");
        row.push(Field::with_text("steps", "STEPS", text, words));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::apply::{Failed, StepError};
    use crate::provision::plan::{Action, Class, Reason, Step, Target};
    use crate::view::text;

    #[test]
    fn a_line_for_each_pf() {
        let pf = |bus: u8| format!("0000:{bus:02x}:00.0").parse().unwrap();
        let step = |target, action| Step {
            target,
            action,
            class: Class::Safe,
            reason: Reason::Declared,
            blocked: None,
            users: Vec::new(),
        };
        let module = "ib_ipoib".parse().unwrap();
        let mut applied = Applied {
            done: vec![
                step(Target::Host, Action::LoadModule(module)),
                step(Target::Pf(pf(1)), Action::Probing { to: false }),
                step(Target::Pf(pf(1)), Action::Create { to: 7 }),
                step(Target::Pf(pf(1)), Action::Probing { to: true }),
            ],
            ..Applied::default()
        };
        applied.failed.push(Failed {
            target: Target::Pf(pf(2)),
            action: None,
            error: StepError::NoUplink,
        });
        let bind = step(Target::Vf(pf(2), 0), Action::Bind { to: None });
        applied.left.steps = vec![bind.clone(), bind];
        let told = text::render(summary(&applied), false);
        let lines: Vec<&str> = told.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "host done 1 steps \"load-module\"",
                "pf 0000:01:00.0 done 3 steps \"autoprobe 2, create-vfs\"",
                "pf 0000:02:00.0 done 0 failed 1 left 2",
            ]
        );
        assert_eq!(rows(&applied).len(), 5);
    }
}

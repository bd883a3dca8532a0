//! `provision apply`: the steps that were done, as rows.

use super::plan;
use crate::provision::apply::Applied;
use crate::view::{Field, Row};

/// The steps that were done, in the order of the plan.
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

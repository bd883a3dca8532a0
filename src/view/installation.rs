//! `cni install` and `cni uninstall`: what became of each name in the CNI folder.

use super::{Field, Row};
use crate::installation::{Outcome, Step};

/// The row of one name.
pub fn row(step: &Step) -> Row {
    let mut row = vec![
        Field::with_text("plugin", "PLUGIN", format!("{}: ", step.name), step.name),
        Field::with_text(
            "outcome",
            "OUTCOME",
            format!("{} ", text(&step.outcome)),
            word(&step.outcome),
        ),
    ];
    if let Outcome::Replaced(Some(version)) = &step.outcome {
        row.push(Field::new("before", "BEFORE", format!("rdmactl {version}")).not_in_text());
    }
    let path = step.path.display().to_string();
    row.push(Field::with_text("path", "PATH", format!("{path} "), path));
    row
}

/// What would be done about a name, if anything.
pub fn step(step: &Step) -> Option<String> {
    let path = step.path.display();
    match &step.outcome {
        Outcome::Installed => Some(format!("install {} as {path}", step.name)),
        Outcome::Replaced(Some(version)) => Some(format!("replace {path}, of rdmactl {version}")),
        Outcome::Replaced(None) => Some(format!("replace {path}, which is no build of rdmactl")),
        Outcome::Removed => Some(format!("remove {path}")),
        Outcome::Already | Outcome::Left | Outcome::Absent => None,
    }
}

const fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Installed => "installed",
        Outcome::Replaced(_) => "replaced",
        Outcome::Already => "already",
        Outcome::Removed => "removed",
        Outcome::Left => "left",
        Outcome::Absent => "absent",
    }
}

fn text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Replaced(Some(version)) => format!("replaced rdmactl {version} in"),
        Outcome::Replaced(None) => "replaced what was no build of rdmactl in".to_owned(),
        Outcome::Installed => "installed in".to_owned(),
        Outcome::Already => "is already in".to_owned(),
        Outcome::Removed => "removed from".to_owned(),
        Outcome::Left => "left, as it is no build of rdmactl, in".to_owned(),
        Outcome::Absent => "is not in".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{json, text};

    #[test]
    fn what_became_of_it() {
        let done = |outcome| Step {
            name: "rdma",
            path: "/x/rdma".into(),
            outcome,
        };
        let rows: Vec<Row> = [
            Outcome::Installed,
            Outcome::Replaced(Some("0.0.9".to_owned())),
            Outcome::Left,
        ]
        .into_iter()
        .map(|outcome| row(&done(outcome)))
        .collect();
        assert_eq!(
            text::render(&rows, false),
            "rdma: installed in /x/rdma \nrdma: replaced rdmactl 0.0.9 in /x/rdma \n\
             rdma: left, as it is no build of rdmactl, in /x/rdma \n"
        );
        let value = json::render(&rows[1..2], false);
        assert!(value.contains(r#""before":"rdmactl 0.0.9""#), "{value}");
        assert_eq!(step(&done(Outcome::Already)), None);
        let would = step(&done(Outcome::Replaced(None)));
        assert_eq!(
            would.as_deref(),
            Some("replace /x/rdma, which is no build of rdmactl")
        );
    }
}

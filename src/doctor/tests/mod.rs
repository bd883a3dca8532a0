//! Every finding is provoked by a host that has it, and left out by one that nearly does.

mod answers;
mod bench;
mod cni;
mod hardware;
mod hostile;
mod plugins;
mod system;

use std::collections::BTreeSet;

use bench::Bench;

use super::{Area, Id, Remedy};

/// What provokes a finding on a host that is in order, and what does not quite.
struct Case {
    id: Id,
    provoke: fn(&mut Bench),
    nearly: fn(&mut Bench),
    /// Other findings that cannot be kept out.
    also: &'static [Id],
}

fn case(id: Id, provoke: fn(&mut Bench), nearly: fn(&mut Bench)) -> Case {
    Case {
        id,
        provoke,
        nearly,
        also: &[],
    }
}

impl Case {
    fn also(self, also: &'static [Id]) -> Self {
        Self { also, ..self }
    }
}

fn cases() -> Vec<Case> {
    let mut cases = system::cases();
    cases.extend(hardware::cases());
    cases.extend(cni::cases());
    cases
}

#[test]
fn a_host_in_order_has_no_findings() {
    assert!(
        Bench::sound().findings(&[]).is_empty(),
        "{:#?}",
        Bench::sound().findings(&[])
    );
}

#[test]
fn each_finding_comes_when_it_should_and_only_then() {
    let mut wrong = Vec::new();
    for case in cases() {
        let mut bench = Bench::sound();
        (case.provoke)(&mut bench);
        let findings = bench.findings(&[]);
        let found: BTreeSet<Id> = findings.iter().map(|finding| finding.id).collect();
        let expected: BTreeSet<Id> = case.also.iter().copied().chain([case.id]).collect();
        if found != expected {
            wrong.push(format!("{:?}: found {findings:#?}", case.id));
        }
        // Each says what it saw and what to do.
        for finding in findings.iter().filter(|finding| finding.id == case.id) {
            let Remedy {
                advice,
                file,
                commands,
                ..
            } = &finding.remedy;
            let is_curable = advice.is_some() || file.is_some() || !commands.is_empty();
            if finding.evidence.is_empty() || !is_curable {
                wrong.push(format!("{:?}: without evidence or remedy", finding.id));
            }
        }
        let mut bench = Bench::sound();
        (case.nearly)(&mut bench);
        if bench.ids().contains(&case.id) {
            wrong.push(format!("{:?}: found where it is only nearly so", case.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_finding_has_a_case() {
    let cases: BTreeSet<Id> = cases().iter().map(|case| case.id).collect();
    let all: BTreeSet<Id> = Id::ALL.iter().copied().collect();
    assert_eq!(cases, all);
}

#[test]
fn one_area_alone() {
    let mut bench = Bench::sound();
    bench.file(
        "sys/kernel/security/lockdown",
        "none [integrity] confidentiality\n",
    );
    bench.remove("sys/module/ib_umad");
    let ids = |areas: &[Area]| -> Vec<Id> {
        bench
            .findings(areas)
            .iter()
            .map(|finding| finding.id)
            .collect()
    };
    assert_eq!(ids(&[]), [Id::KernelLockdown, Id::ModulesUmad]);
    assert_eq!(ids(&[Area::Modules]), [Id::ModulesUmad]);
    assert_eq!(ids(&[Area::Vfs]), []);
}

/// The page about the doctor lists what there is.
#[test]
fn the_documentation_is_complete() {
    let page = include_str!("../../../docs/doctor.md");
    for id in Id::ALL {
        let line = format!(
            "| `{}` | {} | {} |",
            id.as_str(),
            id.severity().as_str(),
            id.meaning()
        );
        assert!(page.contains(&line), "docs/doctor.md lacks:\n{line}");
    }
    let listed = page
        .lines()
        .filter(|line| line.starts_with("| `") && line.contains('.'));
    assert_eq!(listed.count(), Id::ALL.len());
}

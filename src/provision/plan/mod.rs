//! `Plan`: the steps from what is there to what is declared. A pure function of the two.

mod eswitch;
mod host;
#[cfg(test)]
mod model;
mod pf;
mod step;
#[cfg(test)]
mod tests;
mod vfs;

use std::collections::BTreeMap;

use super::document::Document;
use super::observed::{Found, Observed};
use super::problem::{Problem, Trouble};
use crate::kernel::Namespace;
use crate::types::PciAddr;

pub use step::{Action, Block, Class, Reason, Step, Target};

/// What has to be done, in this order, and what cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The steps: those of the host, then PF by PF as the document has them.
    pub steps: Vec<Step>,
    /// What stands between a PF and what is declared. Some leave a way to a part of it, which is
    /// among the steps then: VFs that another manager makes, firmware that offers too few for
    /// later, a PF without an interface. The others leave none.
    pub troubles: Vec<Trouble>,
    /// The network namespaces that keep the namespace mode as it is.
    pub namespaces: Vec<Namespace>,
}

impl From<Vec<Step>> for Plan {
    fn from(steps: Vec<Step>) -> Self {
        Self {
            steps,
            ..Self::default()
        }
    }
}

impl Plan {
    /// Whether nothing is left to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.troubles.is_empty()
    }

    /// The PFs with steps whose users nobody asked for.
    pub fn unasked(&self) -> Vec<PciAddr> {
        let unknown = |step: &&Step| step.blocked == Some(Block::UsageUnknown);
        let mut pfs: Vec<PciAddr> = self
            .steps
            .iter()
            .filter(unknown)
            .filter_map(|step| step.target.pf())
            .collect();
        pfs.sort();
        pfs.dedup();
        pfs
    }
}

/// The way from `observed` to what `document` declares.
pub fn plan(document: &Document, observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    let mut of_pfs = Vec::new();
    let mut needs_ipoib = false;
    let mut seen = BTreeMap::new();
    let mut given = BTreeMap::new();
    for (entry, found) in document.pfs.iter().zip(&observed.pfs) {
        let trouble = |pf, problem| Trouble {
            place: Some(entry.place.clone()),
            pf,
            problem,
        };
        let state = match found {
            Found::Nothing if entry.optional => continue,
            Found::Nothing => {
                plan.troubles.push(trouble(None, Problem::Absent));
                continue;
            }
            Found::Several(pfs) => {
                let problem = Problem::Several(pfs.clone());
                plan.troubles.push(trouble(None, problem));
                continue;
            }
            Found::One(state) => state,
        };
        let pf = state.pf.address;
        if let Some(other) = seen.insert(pf, entry.place.clone()) {
            plan.troubles
                .push(trouble(Some(pf), Problem::Twice { other }));
            continue;
        }
        let standing = observed.firmware.get(&pf);
        match pf::plan(document, entry, state, &observed.host, standing, &mut given) {
            Ok(way) => {
                needs_ipoib |= way.needs_ipoib;
                of_pfs.extend(way.steps);
                let problems = way.problems.into_iter();
                plan.troubles
                    .extend(problems.map(|problem| trouble(Some(pf), problem)));
            }
            Err(problem) => plan.troubles.push(trouble(Some(pf), problem)),
        }
    }
    let (steps, problems) = host::plan(document, &observed.host, needs_ipoib);
    if steps
        .iter()
        .any(|step| matches!(step.blocked, Some(Block::Namespaces(_))))
    {
        plan.namespaces.clone_from(&observed.host.namespaces);
    }
    plan.steps = steps;
    plan.steps.extend(of_pfs);
    let of_host = |problem| Trouble {
        place: None,
        pf: None,
        problem,
    };
    plan.troubles
        .splice(0..0, problems.into_iter().map(of_host));
    plan
}

//! `Order` and `Applied`: what is to be applied beside the document, and what came of it.

use std::time::Duration;

use super::StepError;
use crate::kernel::LockError;
use crate::provision::look::LookError;
use crate::provision::observed::Observed;
use crate::provision::plan::{Action, Plan, Reason, Step, Target};
use crate::types::PciAddr;

/// What is to be applied, beside the document.
#[derive(Debug, Clone)]
pub struct Order {
    /// Only these PFs, and nothing of the host.
    pub only: Option<Vec<PciAddr>>,
    /// How long another apply is waited for.
    pub patience: Duration,
    /// VFs may be removed.
    pub removes: bool,
}

impl Order {
    /// Whether a step is to be done. A module without which a PF cannot be set goes with the PF.
    pub(super) fn means(&self, step: &Step) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| match step.target.pf() {
                Some(pf) => only.contains(&pf),
                None => step.reason == Reason::NeededForGuids,
            })
    }

    /// Whether a PF is meant.
    pub(super) fn means_pf(&self, pf: PciAddr) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| only.contains(&pf))
    }

    /// Whether a step is meant and nothing keeps it.
    pub(super) fn does(&self, step: &Step) -> bool {
        step.blocked.is_none() && self.means(step)
    }

    /// The part of a plan that is meant.
    pub(super) fn meant(&self, mut plan: Plan) -> Plan {
        plan.steps.retain(|step| self.means(step));
        if let Some(only) = &self.only {
            plan.troubles
                .retain(|trouble| trouble.pf.is_some_and(|pf| only.contains(&pf)));
        }
        plan
    }
}

/// A step that failed, or a PF that could not be begun with.
#[derive(Debug)]
pub struct Failed {
    /// What it was about.
    pub target: Target,
    /// What was to be done; `None` when it did not come to that.
    pub action: Option<Action>,
    /// Why not.
    pub error: StepError,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Applied {
    /// The steps that were done, in the order of the plan.
    pub done: Vec<Step>,
    /// What failed.
    pub failed: Vec<Failed>,
    /// What is left: steps that wait for somebody, for a reset, or for what failed.
    pub left: Plan,
    /// The host as it was looked at last; `None` on the way back, where no document counts.
    pub observed: Option<Observed>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Another apply is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The host cannot be looked at.
    #[error(transparent)]
    Look(#[from] LookError),
    /// VFs would be removed, and nobody said that they may.
    #[error("VFs would be removed")]
    Unconfirmed(Vec<Step>),
}

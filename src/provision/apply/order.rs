//! `Order` and `Applied`: what is to be applied beside the document, and what came of it.

use std::time::Duration;

use super::StepError;
use crate::kernel::LockError;
use crate::provision::look::LookError;
use crate::provision::observed::{Found, Observed};
use crate::provision::plan::{Action, Plan, Reason, Step, Target};
use crate::provision::problem::Trouble;
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

    /// How much of what is meant is missing, and may still come.
    pub(super) fn late(&self, plan: &Plan) -> usize {
        let meant = plan.troubles.iter().filter(|each| self.means_trouble(each));
        meant.filter(|trouble| trouble.problem.may_pass()).count()
    }

    fn means_trouble(&self, trouble: &Trouble) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| trouble.pf.is_some_and(|pf| only.contains(&pf)))
    }

    /// Nothing is done for a PF that the document does not have.
    pub(super) fn is_listed(&self, observed: &Observed) -> Result<(), ApplyError> {
        let listed = |pf: &PciAddr| {
            let mut found = observed.pfs.iter().filter_map(Found::one);
            found.any(|state| state.pf.address == *pf)
        };
        match self.only.iter().flatten().find(|pf| !listed(pf)) {
            Some(pf) => Err(ApplyError::NotListed(*pf)),
            None => Ok(()),
        }
    }

    /// The part of a plan that is meant.
    pub fn meant(&self, mut plan: Plan) -> Plan {
        plan.steps.retain(|step| self.means(step));
        plan.troubles.retain(|trouble| self.means_trouble(trouble));
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
    /// Something that was waited for has not come.
    pub is_late: bool,
}

impl Applied {
    /// Whether the kernel holds everybody up who looks at network interfaces.
    pub(super) fn is_netlink_stuck(&self) -> bool {
        let mut failed = self.failed.iter();
        failed.any(|failed| failed.error.is_netlink_stuck())
    }

    /// What is left of a plan, without a look at what has become of it.
    pub(super) fn unlooked(mut self, order: &Order, plan: Plan) -> Self {
        self.left = order.meant(plan);
        let done = &self.done;
        self.left.steps.retain(|step| !done.contains(step));
        self
    }

    /// Puts what was done from `first` on into the order of the plan: PFs were worked on at once.
    pub(super) fn sort(&mut self, first: usize, plan: &[Step]) {
        let key = |step: &Step| plan.iter().position(|planned| planned == step);
        if let Some(done) = self.done.get_mut(first..) {
            done.sort_by_cached_key(key);
        }
    }
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
    /// A PF was named that the document does not have.
    #[error("the document has no PF {0}")]
    NotListed(PciAddr),
    /// VFs would be removed, and nobody said that they may.
    #[error("VFs would be removed")]
    Unconfirmed(Vec<Step>),
}

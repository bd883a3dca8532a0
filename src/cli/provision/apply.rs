//! `provision apply`: the steps that are left, done.

use std::time::Duration;

use clap::Args;

use super::plan::shown;
use super::{From, others};
use crate::cli::vf::{plain, unselected};
use crate::cli::{Context, Failure};
use crate::kernel::LockError;
use crate::provision::apply::{self, Applied, ApplyError, Failed, Order, StepError};
use crate::provision::document::Disruptive;
use crate::provision::look;
use crate::provision::plan::{Block, Class};
use crate::sriov::selector;
use crate::view::Format;
use crate::view::explain;
use crate::view::provision::applied;
use crate::view::provision::meter::Meter;

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Exit status: 0 the host is as declared, 1 nothing could be done, 2 usage, \
                        3 a reboot is left to do, 4 VFs in use or not to be removed are in the way, \
                        5 some steps failed or are for others to do, 6 another apply is at work, 7 something did not come \
                        in time."
)]
pub(super) struct Apply {
    #[command(flatten)]
    pub(super) from: From,
    #[command(flatten)]
    extent: Extent,
    /// Take VFs from their users, where the document says force too
    #[arg(long, value_name = "HOW", default_value = "if-idle")]
    disruptive: How,
}

/// What of the host is meant, and what was said beforehand.
#[derive(Debug, Clone, Args)]
pub(super) struct Extent {
    /// Only this PF, by interface, RDMA device or PCI address, and nothing of the host
    #[arg(long, value_name = "PF", value_parser = plain)]
    only: Vec<String>,
    /// Remove VFs without asking again, where that is allowed
    #[arg(long)]
    yes: bool,
    /// How long to wait for another apply that is at work
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=86_400))]
    lock_wait: u32,
}

impl Extent {
    pub(super) fn order(&self, cx: &Context<'_>) -> Result<Order, Failure> {
        let mut only = Vec::new();
        for word in &self.only {
            let pf = selector::pf(cx.host.sysfs(), word).map_err(unselected)?;
            only.push(pf.address);
        }
        Ok(Order {
            only: (!only.is_empty()).then_some(only),
            patience: Duration::from_secs(self.lock_wait.into()),
            removes: self.yes,
        })
    }
}

/// What may be done to VFs that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum How {
    /// Never remove VFs
    Never,
    /// Remove VFs that nobody uses
    IfIdle,
    /// Remove VFs that are used, too
    Force,
}

/// That of every command that failed, and those beside it.
const FAILED: u8 = 1;
const REBOOT: u8 = 3;
const IN_USE: u8 = 4;
const PARTLY: u8 = 5;
const LOCKED: u8 = 6;
const LATE: u8 = 7;

impl Apply {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let mut document = self.from.read(cx)?;
        // Both have to allow it.
        document.policy.disruptive = match (document.policy.disruptive, self.disruptive) {
            (Disruptive::Never, _) | (_, How::Never) => Disruptive::Never,
            (Disruptive::Force, How::Force) => Disruptive::Force,
            _ => Disruptive::IfIdle,
        };
        if cx.dry_run {
            let looked = look::planned(cx.host, &document);
            let (observed, found) = looked.map_err(|error| explain::provision::unseen(&error))?;
            others(cx, &observed, &document);
            let found = self.extent.order(cx)?.meant(found);
            return shown(cx, &found);
        }
        let order = self.extent.order(cx)?;
        let meter = Meter::new(cx.view.style().format);
        let outcome = apply::apply(cx.host, &document, &order, &meter);
        // The bar goes before anything is printed.
        drop(meter);
        if let Ok(Some(observed)) = outcome.as_ref().map(|applied| &applied.observed) {
            others(cx, observed, &document);
        }
        told(cx, outcome, "rdmactl provision plan")
    }
}

/// Prints what came of it; `looks` is the command that shows what is left.
pub(super) fn told(
    cx: &mut Context<'_>,
    outcome: Result<Applied, ApplyError>,
    looks: &str,
) -> Result<(), Failure> {
    let done = match outcome {
        Ok(done) => done,
        Err(ApplyError::Look(error)) => return Err(explain::provision::unseen(&error).into()),
        Err(error) => {
            let status = match &error {
                ApplyError::Lock(LockError::Busy { .. }) => LOCKED,
                ApplyError::Unconfirmed(_) => IN_USE,
                ApplyError::Lock(LockError::File(_))
                | ApplyError::NotListed(_)
                | ApplyError::Look(_) => FAILED,
            };
            cx.view.nothing()?;
            let said = explain::provision::unapplied(&error, looks);
            return Err(Failure::Stated(status, vec![said]));
        }
    };
    let rows = match cx.view.style().format {
        Format::Json => applied::rows(&done),
        Format::Text | Format::Table { .. } => applied::summary(&done),
    };
    cx.view.rows(&rows)?;
    ended(&done, looks)
}

fn ended(done: &Applied, looks: &str) -> Result<(), Failure> {
    let mut said: Vec<_> = done.failed.iter().map(explain::provision::failed).collect();
    said.extend(done.left.troubles.iter().map(explain::provision::trouble));
    let blocked: Vec<_> = done
        .left
        .steps
        .iter()
        .filter(|step| step.blocked.is_some())
        .collect();
    if said.is_empty() && blocked.is_empty() && done.left.steps.is_empty() {
        return Ok(());
    }
    said.extend(explain::provision::left(&done.left, looks));
    let nothing = done.done.is_empty();
    let is_late = done.is_late || done.failed.iter().any(|failed| failed.error.is_late());
    let is_locked =
        |failed: &Failed| matches!(failed.error, StepError::Lock(LockError::Busy { .. }));
    let status = if is_late {
        LATE
    } else if nothing && !done.failed.is_empty() && done.failed.iter().all(is_locked) {
        LOCKED
    } else if !done.failed.is_empty() || !done.left.troubles.is_empty() {
        if nothing { FAILED } else { PARTLY }
    } else if blocked.iter().any(|step| {
        !matches!(step.class, Class::Reboot | Class::PowerCycle)
            && !matches!(step.blocked, Some(Block::Namespaces(_) | Block::Observed))
    }) {
        IN_USE
    } else if blocked
        .iter()
        .any(|step| step.blocked != Some(Block::Observed))
    {
        REBOOT
    } else if nothing && !blocked.is_empty() {
        FAILED
    } else {
        PARTLY
    };
    Err(Failure::Stated(status, said))
}

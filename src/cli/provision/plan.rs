//! `provision plan`: the steps that are left.

use clap::Args;

use super::{From, others};
use crate::cli::{Context, Failure};
use crate::provision::{self, look};
use crate::view::explain;
use crate::view::provision::plan;

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Exit status: 0 nothing to do, 1 something stands in the way, 2 steps are \
                        left (or the words make no command)."
)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) from: From,
}

/// The exit status when steps are left.
const STEPS_LEFT: u8 = 2;

impl Plan {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let document = self.from.read(cx)?;
        let looked = look::planned(cx.host, &document);
        let (observed, found) = looked.map_err(|error| explain::provision::unseen(&error))?;
        others(cx, &observed, &document);
        shown(cx, &found)?;
        match found.steps.is_empty() {
            true => Ok(()),
            false => Err(Failure::Status(STEPS_LEFT)),
        }
    }
}

/// Prints a plan; fails with what stands in the way of more than a step.
pub(super) fn shown(cx: &mut Context<'_>, found: &provision::plan::Plan) -> Result<(), Failure> {
    cx.view.rows(&plan::rows(found))?;
    for note in plan::notes(found) {
        cx.note(note);
    }
    if found.troubles.is_empty() {
        return Ok(());
    }
    let troubles = found.troubles.iter().map(explain::provision::trouble);
    Err(Failure::Several(troubles.collect()))
}

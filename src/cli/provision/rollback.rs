//! `provision rollback`: what applies of this boot did, taken back.

use std::time::Duration;

use clap::Args;

use super::apply::{Extent, told};
use crate::cli::{Context, Failure};
use crate::provision::{apply, rollback};
use crate::view::explain;
use crate::view::provision::meter::Meter;
use crate::view::provision::plan;

/// Drivers and their devices take no longer.
const WAIT: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Exit status: as that of apply. With --dry-run the steps are shown, and nothing is changed."
)]
pub(super) struct Rollback {
    #[command(flatten)]
    extent: Extent,
}

impl Rollback {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        if cx.dry_run {
            let looked = rollback::planned(cx.host);
            let (_, steps) = looked.map_err(|error| explain::provision::unseen(&error))?;
            let found = self.extent.order(cx)?.meant(steps.into());
            return Ok(cx.view.rows(&plan::rows(&found))?);
        }
        let order = self.extent.order(cx)?;
        let meter = Meter::new(cx.view.style().format);
        let outcome = apply::roll_back(cx.host, &order, WAIT, &meter);
        drop(meter);
        told(cx, outcome, "rdmactl --dry-run provision rollback")
    }
}

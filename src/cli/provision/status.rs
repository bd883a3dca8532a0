//! `provision status`: what is declared beside what is there.

use clap::Args;

use super::From;
use crate::cli::{Context, Failure};
use crate::provision::look;
use crate::view::explain;
use crate::view::provision::status;

#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit status: 0 all is as declared, 1 something is not, 2 usage.")]
pub(super) struct Status {
    #[command(flatten)]
    pub(super) from: From,
}

impl Status {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let document = self.from.read(cx)?;
        let looked = look::planned(cx.host, &document);
        let (observed, plan) = looked.map_err(|error| explain::provision::unseen(&error))?;
        let starting = look::starting(cx.host, &observed);
        cx.view.rows(&status::rows(&observed, &plan, &starting))?;
        if !plan.troubles.is_empty() {
            let troubles = plan.troubles.iter().map(explain::provision::trouble);
            return Err(Failure::Several(troubles.collect()));
        }
        match plan.is_empty() && starting.is_empty() {
            true => Ok(()),
            false => Err(Failure::Told),
        }
    }
}

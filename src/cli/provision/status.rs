//! `provision status`: what is declared beside what is there.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use super::From;
use crate::cli::{Context, Failure};
use crate::provision::look;
use crate::rdma::boot;
use crate::sriov::managers;
use crate::view::explain;
use crate::view::provision::status;

/// Between two looks while it waits.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Exit status: 0 all is as declared, 1 something is not, 2 usage, 7 it is still \
                  not when --wait is over."
)]
pub(super) struct Status {
    #[command(flatten)]
    pub(super) from: From,
    /// Wait until all is as declared, so many seconds at most; nothing is done for it
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=86_400))]
    wait: Option<u32>,
}

/// The exit status when it was waited for in vain.
const LATE: u8 = 7;

impl Status {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let document = self.from.read(cx)?;
        let wait = Duration::from_secs(self.wait.unwrap_or_default().into());
        let deadline = Instant::now() + wait;
        let (mut observed, plan, starting) = loop {
            let looked = look::planned(cx.host, &document);
            let (observed, plan) = looked.map_err(|error| explain::provision::unseen(&error))?;
            let starting = look::starting(cx.host, &observed);
            let left = deadline.saturating_duration_since(Instant::now());
            if plan.is_empty() && starting.is_empty() || left.is_zero() {
                break (observed, plan, starting);
            }
            thread::sleep(PAUSE.min(left));
        };
        observed.host.netns = boot::settings(cx.host);
        let claims = managers::claims(cx.host, &mut |_| {});
        let rows = status::rows(&document, &observed, &plan, &starting, &claims);
        cx.view.rows(&rows)?;
        if plan.is_empty() && starting.is_empty() {
            return Ok(());
        }
        let troubles = plan.troubles.iter().map(explain::provision::trouble);
        let troubles: Vec<_> = troubles.collect();
        match (self.wait, troubles.is_empty()) {
            (Some(_), _) => Err(Failure::Stated(LATE, troubles)),
            (None, true) => Err(Failure::Told),
            (None, false) => Err(Failure::Several(troubles)),
        }
    }
}

//! `doctor`: what is wrong with the host, or will be, and what to do about it.

use clap::Args;

use super::{Context, Failure};
use crate::doctor::{self, Area, Severity};
use crate::types::Invalid;
use crate::view::{Format, finding};

/// Examine the host and say what is wrong and how to mend it; nothing is changed
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Exit status: 0 in order (notes may be told), 1 errors or warnings, \
                        2 usage."
)]
pub(super) struct Doctor {
    /// Examine this area only; may be repeated: kernel, modules, netns, names, devices, vfs,
    /// ports, privilege, plugins, chains, leases, managers
    #[arg(long, value_name = "AREA", value_parser = area)]
    only: Vec<Area>,
}

fn area(word: &str) -> Result<Area, Invalid> {
    word.parse()
}

impl Doctor {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let findings = doctor::examine(cx.host, &self.only);
        let width = match cx.view.style().format {
            Format::Json => None,
            Format::Text => Some(80),
            Format::Table { width } => Some(width),
        };
        match width {
            None => {
                let rows: Vec<_> = findings.iter().map(finding::object).collect();
                cx.view.rows(&rows)?;
            }
            Some(width) => {
                let details = cx.details > 0;
                let blocks = findings
                    .iter()
                    .map(|found| finding::block(found, width, details));
                let rows: Vec<_> = blocks.chain([finding::summary(&findings)]).collect();
                cx.view.text(&rows)?;
            }
        }
        let is_clean = |found: &doctor::Finding| found.id.severity() == Severity::Note;
        match findings.iter().all(is_clean) {
            true => Ok(()),
            false => Err(Failure::Told),
        }
    }
}

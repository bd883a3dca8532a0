//! `provision`: a host from bare to ready, by one document.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Context, Failure};
use crate::provision::document::{self, Document, DocumentError, Origin};
use crate::provision::observed::Observed;
use crate::sriov::managers;
use crate::view::Format;
use crate::view::explain;
use crate::view::provision::{fault, plan as plan_rows};

mod addresses;
mod apply;
mod check_dup;
mod export;
mod plan;
mod rollback;
mod status;

/// Bring SR-IOV hosts from bare to ready by a declared document
#[derive(Debug, Clone, Args)]
pub(super) struct Provision {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Show the steps from what is there to what is declared; nothing is changed
    Plan(plan::Plan),
    /// Do the steps that are left, each checked, so that the host is as declared
    Apply(apply::Apply),
    /// Take back what was applied in this boot, as far as nobody uses it
    ///
    /// VFs that were made go away, those that were there get back what they had, and so do the files
    /// of modprobe. VFs that were removed, and firmware, cannot be had back.
    Rollback(rollback::Rollback),
    /// Show what is declared beside what is there, VF by VF
    Status(status::Status),
    /// Print the host as it is, as a document that finds nothing to do
    Export(export::Export),
    /// Print the GUIDs and MAC addresses of all VFs, of hosts that are elsewhere too
    Addresses(addresses::Addresses),
    /// Find every mistake in the document
    Check(Check),
    /// Find addresses that VFs of several hosts would share
    CheckDup(check_dup::CheckDup),
}

/// Notes who else is configured to make VFs of the document's PFs.
fn others(cx: &mut Context<'_>, observed: &Observed, document: &Document) {
    // What cannot be read is for doctor to say.
    let claims = managers::claims(cx.host, &mut |_| {});
    for note in plan_rows::others(observed, document, &claims) {
        cx.note(note);
    }
}

/// Which document.
#[derive(Debug, Clone, Args)]
struct From {
    /// This document instead of /etc/rdmactl/provision.toml and provision.d; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
struct Check {
    #[command(flatten)]
    from: From,
}

impl Provision {
    /// Whether it changes nothing.
    pub(super) fn only_shows(&self) -> bool {
        !matches!(self.verb, Verb::Apply(_) | Verb::Rollback(_))
    }

    /// Whether its document comes from standard input.
    pub(super) fn reads_input(&self) -> bool {
        let from = match &self.verb {
            Verb::Plan(plan) => &plan.from,
            Verb::Apply(apply) => &apply.from,
            Verb::Status(status) => &status.from,
            Verb::Addresses(addresses) => &addresses.from,
            Verb::Check(check) => &check.from,
            Verb::CheckDup(check) => return check.reads_input(),
            Verb::Export(_) | Verb::Rollback(_) => return false,
        };
        from.file.as_deref() == Some(Path::new("-"))
    }

    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        match self.verb {
            Verb::Plan(plan) => plan.run(cx),
            Verb::Apply(apply) => apply.run(cx),
            Verb::Rollback(rollback) => rollback.run(cx),
            Verb::Status(status) => status.run(cx),
            Verb::Export(export) => export.run(cx),
            Verb::Addresses(addresses) => addresses.run(cx),
            Verb::Check(check) => check.run(cx),
            Verb::CheckDup(check) => check.run(cx),
        }
    }
}

impl From {
    /// The document; a failure that names every mistake.
    fn read(&self, cx: &mut Context<'_>) -> Result<Document, Failure> {
        self.open(cx).map_err(|error| match error {
            DocumentError::Faults(faults) => {
                Failure::Several(faults.iter().map(explain::provision::fault).collect())
            }
            other => explain::provision::document(&other).into(),
        })
    }

    fn open(&self, cx: &mut Context<'_>) -> Result<Document, DocumentError> {
        let origin = self.file.clone().map_or(Origin::Host, Origin::File);
        document::read(cx.host, &origin, cx.input)
    }
}

impl Check {
    fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let is_json = cx.view.style().format == Format::Json;
        match self.from.open(cx) {
            Err(DocumentError::Faults(faults)) if is_json => {
                let rows: Vec<_> = faults.iter().map(fault::row).collect();
                cx.view.rows(&rows)?;
                Err(Failure::Told)
            }
            Err(DocumentError::Faults(faults)) => Err(Failure::Several(
                faults.iter().map(explain::provision::fault).collect(),
            )),
            Err(other) => Err(explain::provision::document(&other).into()),
            Ok(document) => Ok(cx.view.remark(&fault::valid(document.pfs.len()))?),
        }
    }
}

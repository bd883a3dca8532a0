//! `provision`: a host from bare to ready, by one document.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Context, Failure};
use crate::provision::document::{self, Document, DocumentError, Origin};
use crate::view::Format;
use crate::view::explain;
use crate::view::provision::fault;

mod addresses;
mod export;
mod plan;
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
    /// Show what is declared beside what is there, VF by VF
    Status(status::Status),
    /// Print the host as it is, as a document that finds nothing to do
    Export(export::Export),
    /// Print the GUIDs and MAC addresses of all VFs, of hosts that are elsewhere too
    Addresses(addresses::Addresses),
    /// Find every mistake in the document
    Check(Check),
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
    /// Whether its document comes from standard input.
    pub(super) fn reads_input(&self) -> bool {
        let from = match &self.verb {
            Verb::Plan(plan) => &plan.from,
            Verb::Status(status) => &status.from,
            Verb::Addresses(addresses) => &addresses.from,
            Verb::Check(check) => &check.from,
            Verb::Export(_) => return false,
        };
        from.file.as_deref() == Some(Path::new("-"))
    }

    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        match self.verb {
            Verb::Plan(plan) => plan.run(cx),
            Verb::Status(status) => status.run(cx),
            Verb::Export(export) => export.run(cx),
            Verb::Addresses(addresses) => addresses.run(cx),
            Verb::Check(check) => check.run(cx),
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

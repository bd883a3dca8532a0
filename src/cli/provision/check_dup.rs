//! `provision check-dup`: addresses that VFs of several hosts would share.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::{Context, Failure};
use crate::provision::document::text_of;
use crate::provision::duplicates::Fabric;
use crate::view::explain::{self, Explanation};
use crate::view::provision::addresses as rows;

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Each FILE is what `rdmactl -j provision addresses` printed on, or of, one host. \
                  Exit status: 0 no two VFs have one address, 1 some have."
)]
pub(super) struct CheckDup {
    /// The addresses of hosts; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl CheckDup {
    pub(super) fn reads_input(&self) -> bool {
        self.files.iter().any(|file| file == Path::new("-"))
    }

    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let mut fabric = Fabric::default();
        for file in &self.files {
            let text = text_of(file, cx.input);
            let text = text.map_err(|error| explain::provision::document(&error))?;
            let name = file.display().to_string();
            let taken = fabric.take(&name, &text);
            taken.map_err(|why| Explanation {
                headline: format!("error: {name} is no list of addresses: {why}"),
                cause: None,
                cure: Some("rdmactl -j provision addresses    # prints one".to_owned()),
            })?;
        }
        let doubles = fabric.doubles();
        if doubles.is_empty() {
            let (count, files) = (fabric.len(), self.files.len());
            return Ok(cx.view.remark(&rows::all_different(count, files))?);
        }
        cx.view.rows(&rows::doubles(&doubles))?;
        Err(Failure::Told)
    }
}

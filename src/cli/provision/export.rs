//! `provision export`: the host as it is, as a document.

use clap::Args;

use crate::cli::vf::{plain, unselected};
use crate::cli::{Context, Failure};
use crate::provision::{export, look};
use crate::rdma::boot;
use crate::sriov::pf;
use crate::sriov::selector::{self, SelectError};
use crate::view::explain;

#[derive(Debug, Clone, Args)]
pub(super) struct Export {
    /// Only these PFs: interface, RDMA device or PCI address
    #[arg(value_name = "PF", value_parser = plain)]
    pfs: Vec<String>,
}

impl Export {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let sysfs = cx.host.sysfs();
        let mut chosen = Vec::new();
        for word in &self.pfs {
            let pf = selector::pf(sysfs, word).map_err(unselected)?;
            if !chosen.contains(&pf) {
                chosen.push(pf);
            }
        }
        if self.pfs.is_empty() {
            chosen = pf::list(sysfs).map_err(|error| unselected(SelectError::Sysfs(error)))?;
        }
        let states = look::states(cx.host, chosen);
        let mut states = states.map_err(|error| explain::provision::unseen(&error))?;
        for state in &mut states {
            look::ask_mode(cx.host, state).map_err(|error| explain::provision::unseen(&error))?;
            look::ask_vectors(cx.host, state)
                .map_err(|error| explain::provision::unseen(&error))?;
        }
        let text = export::document(&boot::settings(cx.host), &states);
        Ok(cx.view.raw(&text)?)
    }
}

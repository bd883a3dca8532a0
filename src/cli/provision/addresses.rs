//! `provision addresses`: what all VFs go by, before they are there.

use clap::Args;

use super::From;
use crate::cli::{Context, Failure};
use crate::provision::addresses::{self, Addressed, Identity};
use crate::provision::look;
use crate::provision::problem::{Problem, Trouble};
use crate::types::{Guid, Invalid, Mac};
use crate::view::explain;
use crate::view::provision::addresses as rows;

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "With --pf-guid or --pf-mac no document is read and no hardware is needed: \
                  addresses follow from that of the PF alone."
)]
pub(super) struct Addresses {
    #[command(flatten)]
    pub(super) from: From,
    /// The VFs of the InfiniBand PF with this port GUID
    #[arg(long, value_name = "GUID", value_parser = guid)]
    #[arg(conflicts_with_all = ["file", "pf_mac"], requires = "vfs")]
    pf_guid: Option<Guid>,
    /// The VFs of the Ethernet PF with this permanent MAC address
    #[arg(long, value_name = "MAC", value_parser = mac)]
    #[arg(conflicts_with = "file", requires = "vfs")]
    pf_mac: Option<Mac>,
    /// How many VFs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    #[arg(conflicts_with = "file")]
    vfs: Option<u16>,
    /// What the document has as site
    #[arg(long, value_name = "SITE", conflicts_with = "file", requires = "vfs")]
    site: Option<String>,
    /// Print them as rows, as a GUID a line, or as the file of the SR-IOV network operator
    #[arg(long = "as", value_name = "FORM", default_value = "rows")]
    form: Form,
}

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people and programs
    Rows,
    /// Port GUIDs alone, as subnet managers want them
    Guids,
    /// /etc/sriov-operator/infiniband/guids
    Operator,
}

fn guid(word: &str) -> Result<Guid, Invalid> {
    let guid: Guid = word.parse()?;
    const RULE: &str = "all zeros and all ones are no GUID of a PF";
    guid.is_assignable()
        .then_some(guid)
        .ok_or_else(|| Invalid::new(word, "port GUID", RULE))
}

fn mac(word: &str) -> Result<Mac, Invalid> {
    word.parse()
}

impl Addresses {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let guid = self.pf_guid.map(Identity::Guid);
        let identity = guid.or(self.pf_mac.map(Identity::Mac));
        if let (Some(identity), Some(vfs)) = (identity, self.vfs) {
            let site = self.site.as_deref().unwrap_or_default();
            let derived = addresses::derived(identity, vfs, site);
            let found = derived.map_err(impossible)?;
            return self.show(cx, &found);
        }
        let document = self.from.read(cx)?;
        let observed = look::look(cx.host, &document);
        let observed = observed.map_err(|error| explain::provision::unseen(&error))?;
        let (found, troubles) = addresses::table(&document, &observed);
        self.show(cx, &found)?;
        match troubles.is_empty() {
            true => Ok(()),
            false => Err(Failure::Several(
                troubles.iter().map(explain::provision::trouble).collect(),
            )),
        }
    }
}

impl Addresses {
    fn show(&self, cx: &mut Context<'_>, found: &[Addressed]) -> Result<(), Failure> {
        match self.form {
            Form::Rows => cx.view.rows(&rows::rows(found))?,
            Form::Guids => cx.view.raw(&rows::guids(found))?,
            Form::Operator => cx.view.raw(&rows::operator(found))?,
        }
        Ok(())
    }
}

fn impossible(problem: Problem) -> Failure {
    let trouble = Trouble {
        place: None,
        pf: None,
        problem,
    };
    explain::provision::trouble(&trouble).into()
}

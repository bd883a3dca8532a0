//! `cdi`: the devices that containers are offered, for podman, Docker and others to read.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, Subcommand};

use super::oci_hook::{said, told};
use super::{Context, Failure};
use crate::oci::Word;
use crate::oci::cdi::{self, FILE, Naming};
use crate::types::Invalid;
use crate::view;

/// Where runtimes look for what is true until the next boot.
const FOLDER: &str = "/var/run/cdi";

/// RDMA devices for containers, by the Container Device Interface
#[derive(Debug, Clone, Args)]
pub(super) struct Cdi {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Write the document that offers RDMA devices to containers
    ///
    /// Each device has its files of /dev/infiniband and the hooks that move it into the container
    /// and bring it home. A PF that has VFs is offered only when it is named.
    Generate(Generate),
}

#[derive(Debug, Clone, Args)]
struct Generate {
    /// Folder of such documents; - prints it instead
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    output: PathBuf,
    /// This device alone: RDMA device, PCI address or auxiliary device; may be repeated
    #[arg(long, value_name = "DEV")]
    device: Vec<Word>,
    /// Call the devices by their addresses, which stay when names change
    #[arg(long, action = ArgAction::SetTrue)]
    by_address: bool,
    /// Program that the hooks call, instead of this one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

impl Cdi {
    /// Whether it changes nothing.
    pub(super) fn only_shows(&self) -> bool {
        let Verb::Generate(generate) = &self.verb;
        generate.output == Path::new("-")
    }

    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let Verb::Generate(generate) = self.verb;
        generate.run(cx)
    }
}

impl Generate {
    fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let program = match self.program {
            Some(program) => program,
            None => cdi::program(cx.host).map_err(|error| said(&error))?,
        };
        let Some(path) = program.to_str().filter(|path| path.starts_with('/')) else {
            let word = program.to_string_lossy();
            let rule = "hooks are called by an absolute path of UTF-8";
            return Err(Invalid::new(&word, "program", rule).into());
        };
        let mut conn = cx.rdma()?;
        let offers = cdi::offers(cx.host, &mut conn, &self.device)
            .and_then(|offers| Ok((offers, cdi::has_cm(cx.host, &mut conn)?)));
        let (offers, cm) = offers.map_err(|error| told(cx, &mut conn, error))?;
        let naming = if self.by_address {
            Naming::Address
        } else {
            Naming::Rdma
        };
        for offer in offers.iter().filter(|offer| offer.nodes.is_empty()) {
            cx.note(format!(
                "{} has no files in /dev/infiniband: is ib_uverbs loaded?",
                offer.name
            ));
        }
        let document = cdi::document(&offers, naming, Path::new(path), cm);
        if self.output == Path::new("-") {
            return Ok(cx.view.raw(&document)?);
        }
        let place = match self.output.strip_prefix("/") {
            Ok(below) => cx.host.path("/").join(below),
            Err(_) => self.output.clone(),
        };
        let shown = self.output.join(FILE);
        let is_new = !cdi::is_there(&place, &document).map_err(|error| said(&error))?;
        let steps = || {
            let step = || format!("write {} devices to {}", offers.len(), shown.display());
            is_new.then(step).into_iter().collect()
        };
        if cx.plan_all(steps)? {
            return Ok(());
        }
        if is_new {
            cdi::put(&place, &document).map_err(|error| said(&error))?;
        }
        let row = view::cdi::row(&shown, offers.len(), is_new);
        Ok(cx.view.rows(&[row])?)
    }
}

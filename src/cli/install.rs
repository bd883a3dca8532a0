//! `cni install` and `cni uninstall`: the plugins in the CNI folder of a host.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::repair::told as unread;
use super::{Context, Failure};
use crate::attachment::register;
use crate::installation::{self, InstallError, Wanted};
use crate::kernel::stop_signal::StopSignal;
use crate::view;
use crate::view::explain::Explanation;
use crate::view::explain::installation as explain;

/// Where images of CNI plugins have the host's folder mounted.
const FOLDER: &str = "/host/opt/cni/bin";

/// A plugin that can be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Behind the plugin that makes the interface
    Rdma,
    /// InfiniBand VFs with their RDMA devices
    IbSriov,
}

impl Name {
    const fn word(self) -> &'static str {
        match self {
            Self::Rdma => "rdma",
            Self::IbSriov => "ib-sriov",
        }
    }
}

/// Which folder, and which names in it.
#[derive(Debug, Clone, Args)]
struct Place {
    /// The folder
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    cni_bin_dir: PathBuf,
    /// This plugin alone; may be repeated
    #[arg(long, value_name = "PLUGIN")]
    only: Vec<Name>,
}

impl Place {
    fn names(&self) -> Vec<&'static str> {
        let all = [Name::Rdma, Name::IbSriov].into_iter();
        all.filter(|name| self.only.is_empty() || self.only.contains(name))
            .map(Name::word)
            .collect()
    }
}

#[derive(Debug, Clone, Args)]
pub(super) struct Install {
    #[command(flatten)]
    place: Place,
    /// Program to install as rdma, instead of this one
    #[arg(long, value_name = "FILE")]
    rdma_cni_bin_file: Option<PathBuf>,
    /// Program to install as ib-sriov, instead of this one
    #[arg(long, value_name = "FILE")]
    ib_sriov_cni_bin_file: Option<PathBuf>,
    /// End when it is done, instead of staying until SIGTERM as the process of a DaemonSet does
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true)]
    #[arg(
        default_value = "false",
        default_missing_value = "true",
        hide_default_value = true
    )]
    #[arg(hide_possible_values = true, action = ArgAction::Set)]
    no_sleep: bool,
    /// Take the plugins away instead, and end
    #[arg(long, action = ArgAction::SetTrue)]
    #[arg(conflicts_with_all = ["rdma_cni_bin_file", "ib_sriov_cni_bin_file"])]
    uninstall: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Uninstall {
    #[command(flatten)]
    place: Place,
}

impl Install {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        if self.uninstall {
            return Uninstall { place: self.place }.run(cx);
        }
        let wanted: Vec<Wanted> = self
            .place
            .names()
            .into_iter()
            .map(|n| self.wanted(n))
            .collect();
        let folder = &self.place.cni_bin_dir;
        if cx.dry_run {
            let steps = installation::foresee(cx.host, folder, &wanted).map_err(told)?;
            let steps = steps.iter().filter_map(view::installation::step).collect();
            cx.plan_all(|| steps)?;
            return Ok(());
        }
        // From here on, or else one that comes before the sleep would be lost.
        let stop = StopSignal::hold().map_err(|errno| {
            Explanation::of(format!(
                "error: signals cannot be held back: {}",
                errno.desc()
            ))
        })?;
        let steps = installation::install(cx.host, folder, &wanted).map_err(told)?;
        let rows: Vec<_> = steps.iter().map(view::installation::row).collect();
        cx.view.rows(&rows)?;
        if !self.no_sleep {
            // Whatever it says, the plugins stay: pods need them when this one is replaced.
            let _ = stop.wait();
        }
        Ok(())
    }

    fn wanted(&self, name: &'static str) -> Wanted {
        let program = match name {
            "rdma" => &self.rdma_cni_bin_file,
            _ => &self.ib_sriov_cni_bin_file,
        };
        Wanted {
            name,
            program: program.clone(),
        }
    }
}

impl Uninstall {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let (folder, names) = (&self.place.cni_bin_dir, self.place.names());
        if !cx.force {
            let entries = register::list(cx.host).map_err(|error| unread(&error))?;
            let ends = entries
                .iter()
                .filter(|entry| names.contains(&entry.kind.name()));
            match ends.count() {
                0 => {}
                many => return Err(explain::in_use(many).into()),
            }
        }
        if cx.dry_run {
            let steps = installation::foresee_removal(folder, &names).map_err(left)?;
            let steps = steps.iter().filter_map(view::installation::step).collect();
            cx.plan_all(|| steps)?;
            return Ok(());
        }
        let steps = installation::remove(folder, &names).map_err(left)?;
        let rows: Vec<_> = steps.iter().map(view::installation::row).collect();
        Ok(cx.view.rows(&rows)?)
    }
}

fn told(error: InstallError) -> Failure {
    explain::installation(&error).into()
}

fn left(error: InstallError) -> Failure {
    explain::removal(&error).into()
}

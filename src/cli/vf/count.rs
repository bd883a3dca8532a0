//! `vf create` and `vf destroy`: from none to some VFs and back.

use std::time::Instant;

use clap::{ArgAction, Args};

use super::{Patience, Trees, again, locked, losses, plain, show, unread, unselected, users};
use crate::cli::{Context, Failure};
use crate::pci::appearance::Ears;
use crate::pci::function;
use crate::sriov::binding;
use crate::sriov::count::{self, CountError, Probing};
use crate::sriov::pf::Pf;
use crate::sriov::usage::Usage;
use crate::sriov::{arrival, selector};
use crate::view::explain;
use crate::view::explain::usage::Loss;

#[derive(Debug, Clone, Args)]
pub(super) struct Create {
    /// PF: its interface, RDMA device or PCI address
    #[arg(value_parser = plain)]
    pf: String,
    /// How many VFs it is to have
    #[arg(value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    wanted: u16,
    /// Leave the new VFs without a driver
    #[arg(long, action = ArgAction::SetTrue)]
    no_probe: bool,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Destroy {
    /// PF: its interface, RDMA device or PCI address
    #[arg(value_parser = plain)]
    pf: String,
    #[command(flatten)]
    patience: Patience,
}

impl Create {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let host = cx.host;
        let trees = Trees::of(host);
        let pf = selector::pf(trees.own(), &self.pf).map_err(unselected)?;
        let wanted = usize::from(self.wanted);
        if self.wanted > pf.total_vfs {
            return Err(refused(
                cx,
                &CountError::TooMany {
                    pf: pf.address,
                    wanted: self.wanted,
                    total: pf.total_vfs,
                },
            ));
        }
        if pf.vfs.len() == wanted {
            return match cx.dry_run {
                true => Ok(cx.view.rows(&[])?),
                false => show(cx, &trees, pf.address, &pf.vfs),
            };
        }
        if cx.dry_run {
            let usage = users(cx, &pf, &pf.vfs, Loss::Removed(pf.vfs.len()))?;
            cx.plan_all(|| {
                let mut steps = removal(&pf, &usage);
                let how = if self.no_probe {
                    ", without a driver"
                } else {
                    ""
                };
                steps.push(format!("create {wanted} VFs on PF {}{how}", pf.address));
                steps
            })?;
            return Ok(());
        }
        let limit = self.patience.limit(wanted.max(pf.vfs.len()));
        let deadline = Instant::now() + limit;
        let _locks = locked(cx, pf.address, &pf.vfs, deadline)?;
        let pf = again(host.sysfs(), pf.address)?;
        if pf.vfs.len() == wanted {
            return show(cx, &trees, pf.address, &pf.vfs);
        }
        if !pf.vfs.is_empty() {
            remove(cx, &pf, deadline)?;
            cx.note(format!(
                "{} had {} VFs, which are gone: the number changes through 0 only",
                pf.address,
                pf.vfs.len()
            ));
        }
        self.create(cx, &trees, &pf, deadline, limit.as_secs())
    }

    fn create(
        &self,
        cx: &mut Context<'_>,
        trees: &Trees<'_>,
        pf: &Pf,
        deadline: Instant,
        waited: u64,
    ) -> Result<(), Failure> {
        let (host, sysfs) = (cx.host, cx.host.sysfs());
        let probed =
            !self.no_probe && count::is_probing(sysfs, pf.address).map_err(|e| unread(&e))?;
        let probing = match self.no_probe {
            true => Probing::Off,
            false => Probing::AsSet,
        };
        let expected = trees.expected(pf.address).map_err(|error| unread(&error))?;
        let ears = Ears::open(host);
        let limit = binding::left(deadline);
        let now = count::create(host, pf, self.wanted, probing, limit)
            .map_err(|error| refused(cx, &error))?;
        let troubles = match probed {
            true => arrival::settle(host, trees.home(), ears, &now, expected, deadline),
            false => Ok(Vec::new()),
        };
        let troubles = troubles.map_err(|error| unread(&error))?;
        if !probed && !self.no_probe {
            cx.note(format!(
                "no driver was offered the VFs: sriov_drivers_autoprobe of {} is 0",
                pf.address
            ));
        }
        show(cx, trees, now.address, &now.vfs)?;
        if troubles.is_empty() {
            return Ok(());
        }
        Err(Failure::Several(explain::binding::troubles(
            &troubles, waited,
        )))
    }
}

impl Destroy {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let host = cx.host;
        let trees = Trees::of(host);
        let pf = selector::pf(trees.own(), &self.pf).map_err(unselected)?;
        if pf.vfs.is_empty() {
            return Ok(cx.view.nothing()?);
        }
        if cx.dry_run {
            let usage = users(cx, &pf, &pf.vfs, Loss::Removed(pf.vfs.len()))?;
            cx.plan_all(|| removal(&pf, &usage))?;
            return Ok(());
        }
        let deadline = Instant::now() + self.patience.limit(pf.vfs.len());
        let _locks = locked(cx, pf.address, &pf.vfs, deadline)?;
        let pf = again(host.sysfs(), pf.address)?;
        remove(cx, &pf, deadline)?;
        Ok(cx.view.nothing()?)
    }
}

/// Removes all VFs of a PF, unless somebody uses one.
fn remove(cx: &mut Context<'_>, pf: &Pf, deadline: Instant) -> Result<(), Failure> {
    if pf.vfs.is_empty() {
        return Ok(());
    }
    for vf in &pf.vfs {
        binding::check(cx.host.sysfs(), pf.address, *vf).map_err(|error| {
            explain::binding::explain(&error, crate::kernel::modules::Availability::Unknown)
        })?;
    }
    users(cx, pf, &pf.vfs, Loss::Removed(pf.vfs.len()))?;
    count::destroy(cx.host, pf, binding::left(deadline)).map_err(|error| refused(cx, &error))?;
    Ok(())
}

fn removal(pf: &Pf, usage: &Usage) -> Vec<String> {
    if pf.vfs.is_empty() {
        return Vec::new();
    }
    let what = match pf.vfs.len() {
        1 => "the VF".to_owned(),
        count => format!("all {count} VFs"),
    };
    let mut steps: Vec<String> = losses(usage).collect();
    steps.push(format!("remove {what} of PF {}", pf.address));
    steps
}

fn refused(cx: &Context<'_>, error: &CountError) -> Failure {
    let pf = match error {
        CountError::TooMany { pf, .. }
        | CountError::Refused { pf, .. }
        | CountError::Other { pf, .. }
        | CountError::Gone { pf } => Some(*pf),
        CountError::Write(_) | CountError::Sysfs(_) => None,
    };
    let function = pf.and_then(|pf| function::read(cx.host.sysfs(), pf).ok().flatten());
    explain::vf_count::explain(error, function.and_then(|function| function.vendor)).into()
}

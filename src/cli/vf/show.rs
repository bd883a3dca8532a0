//! `vf show`: every VF, those of a PF, or one.

use clap::Args;

use super::{plain, unselected};
use crate::cli::{Context, Failure};
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Sysfs, modules};
use crate::pci::device;
use crate::sriov::ipoib;
use crate::sriov::pf::{self, Pf, Vf};
use crate::sriov::report::{self, Report};
use crate::sriov::selector::{self, SelectError, Selected};
use crate::sriov::vf_side::{self, VfSide};
use crate::types::DeviceId;
use crate::view::vf::Known;
use crate::view::{self, explain};

#[derive(Debug, Clone, Default, Args)]
pub(super) struct Show {
    /// Only the VFs of this PF, or only this VF: PF/INDEX, PCI address, netdev or RDMA device
    #[arg(value_name = "PF|VF", value_parser = plain)]
    which: Option<String>,
}

/// A PF with what it tells, and its VFs with what they show.
struct Listed {
    pf: Pf,
    name: String,
    report: Report,
    vfs: Vec<(Vf, VfSide)>,
}

impl Show {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let own = NetnsSysfs::of_caller(cx.host);
        let sysfs = own.as_ref().map_or(cx.host.sysfs(), NetnsSysfs::tree);
        let (pfs, only) = self.chosen(cx, sysfs)?;
        let reports = report::of_all(cx.host, &pfs);
        let reports = reports.map_err(|error| explain::vf_change::unreachable(&error))?;
        let (mut listed, mut failed) = (Vec::new(), Vec::new());
        for (pf, report) in pfs.into_iter().zip(reports) {
            match report {
                Ok(report) => listed.push(list(cx, sysfs, pf, report, only)?),
                Err(error) => failed.push(explain::vf_change::unreachable(&error)),
            }
        }
        let known = listed.iter().flat_map(|each| {
            each.vfs.iter().map(|(vf, side)| Known {
                pf: &each.pf,
                pf_name: &each.name,
                layer: each.report.layer,
                vf: *vf,
                told: each.report.told.get(&vf.index),
                side,
            })
        });
        let known: Vec<_> = known.collect();
        cx.view.rows(&view::vf::rows(&known, cx.details > 0))?;
        match failed.is_empty() {
            true => Ok(()),
            false => Err(Failure::Several(failed)),
        }
    }

    /// The PFs that have VFs, and the only VF that is wanted.
    fn chosen(
        &self,
        cx: &mut Context<'_>,
        sysfs: &Sysfs,
    ) -> Result<(Vec<Pf>, Option<Vf>), Failure> {
        let Some(word) = &self.which else {
            let pfs = pf::list(sysfs).map_err(|error| unselected(error.into()))?;
            let pfs = pfs.into_iter().filter(|pf| !pf.vfs.is_empty());
            return Ok((pfs.collect(), None));
        };
        Ok(match selector::select(sysfs, word).map_err(unselected)? {
            Selected::Pf(pf) if pf.vfs.is_empty() => {
                let (address, total) = (pf.address, pf.total_vfs);
                cx.note(format!("{address} has no VFs; it can have {total}"));
                (Vec::new(), None)
            }
            Selected::Pf(pf) => (vec![pf], None),
            Selected::Vf(pf, vf) => (vec![pf], Some(vf)),
        })
    }
}

fn list(
    cx: &mut Context<'_>,
    sysfs: &Sysfs,
    pf: Pf,
    report: Report,
    only: Option<Vf>,
) -> Result<Listed, Failure> {
    let ipoib = modules::availability(cx.host, ipoib::MODULE);
    if let Some(remark) = view::vf::words::remark(&pf, &report, ipoib) {
        cx.note(remark);
    }
    let unread = |error| unselected(SelectError::Sysfs(error));
    let rdma = device::rdma_names(sysfs, &DeviceId::Pci(pf.address)).map_err(unread)?;
    let mut vfs = Vec::new();
    for vf in pf
        .vfs
        .iter()
        .filter(|vf| only.is_none_or(|only| only == **vf))
    {
        vfs.push((*vf, vf_side::read(sysfs, *vf).map_err(unread)?));
    }
    Ok(Listed {
        name: view::vf::pf_name(&pf, report.uplink.as_ref(), &rdma),
        pf,
        report,
        vfs,
    })
}

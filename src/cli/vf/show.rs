//! `vf show`: every VF, those of a PF, or one.

use clap::Args;

use super::everywhere::Everywhere;
use super::{plain, unselected};
use crate::cli::{Context, Failure};
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Sysfs, SysfsError, modules};
use crate::pci::device;
use crate::sriov::ipoib;
use crate::sriov::pf::{self, Pf, Vf};
use crate::sriov::report::{self, Report};
use crate::sriov::selector::{self, SelectError, Selected};
use crate::sriov::vf_side::{self, VfSide};
use crate::types::DeviceId;
use crate::view::vf::Known;
use crate::view::{self, Row, explain};

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
    /// Each with the namespace that it is in, where all are asked.
    vfs: Vec<(Vf, VfSide, Row)>,
}

impl Show {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let own = NetnsSysfs::of_caller(cx.host);
        let sysfs = own.as_ref().map_or(cx.host.sysfs(), NetnsSysfs::tree);
        let everywhere = match cx.all_netns {
            true => Some(Everywhere::look(cx.host, sysfs)?),
            false => None,
        };
        let everywhere = everywhere.as_ref();
        let (pfs, only) = self.chosen(cx, sysfs, everywhere)?;
        let reports = report::of_all(cx.host, &pfs);
        let reports = reports.map_err(|error| explain::vf_change::unreachable(&error))?;
        let (mut listed, mut failed) = (Vec::new(), Vec::new());
        for (pf, report) in pfs.into_iter().zip(reports) {
            match report {
                Ok(report) => {
                    let side = |vf| match everywhere {
                        Some(everywhere) => everywhere.side(sysfs, vf, cx.details > 0),
                        None => Ok((vf_side::read(sysfs, vf)?, Row::new())),
                    };
                    let mut vfs = Vec::new();
                    for vf in pf.vfs.iter().copied() {
                        if only.is_none_or(|only| only == vf) {
                            let (side, label) = side(vf).map_err(unread)?;
                            vfs.push((vf, side, label));
                        }
                    }
                    listed.push(list(cx, sysfs, pf, report, vfs)?);
                }
                Err(error) => failed.push(explain::vf_change::unreachable(&error)),
            }
        }
        let known = listed.iter().flat_map(|each| {
            each.vfs.iter().map(|(vf, side, _)| Known {
                pf: &each.pf,
                pf_name: &each.name,
                layer: each.report.layer,
                vf: *vf,
                told: each.report.told.get(&vf.index),
                side,
            })
        });
        let known: Vec<_> = known.collect();
        let labels = listed.iter().flat_map(|each| &each.vfs);
        let rows = view::vf::rows(&known, cx.details > 0).into_iter();
        let rows = rows.zip(labels);
        let mut rows: Vec<Row> = rows
            .map(|(row, (_, _, label))| view::namespace::labelled(row, label))
            .collect();
        if everywhere.is_some() && cx.details == 0 {
            // In a table the namespace takes the room of what is the same nearly everywhere.
            let fields = rows.iter_mut().flatten();
            fields
                .filter(|field| field.key == "state")
                .for_each(|field| field.head = "".into());
        }
        cx.view.rows(&rows)?;
        failed.extend(everywhere.iter().flat_map(|each| each.gaps(cx)));
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
        everywhere: Option<&Everywhere>,
    ) -> Result<(Vec<Pf>, Option<Vf>), Failure> {
        let Some(word) = &self.which else {
            let pfs = pf::list(sysfs).map_err(|error| unselected(error.into()))?;
            let pfs = pfs.into_iter().filter(|pf| !pf.vfs.is_empty());
            return Ok((pfs.collect(), None));
        };
        let selected = match everywhere {
            Some(everywhere) => everywhere.select(sysfs, word),
            None => selector::select(sysfs, word),
        };
        Ok(match selected.map_err(unselected)? {
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
    vfs: Vec<(Vf, VfSide, Row)>,
) -> Result<Listed, Failure> {
    let ipoib = modules::availability(cx.host, ipoib::MODULE);
    if let Some(remark) = view::vf::words::remark(&pf, &report, ipoib) {
        cx.note(remark);
    }
    let rdma = device::rdma_names(sysfs, &DeviceId::Pci(pf.address)).map_err(unread)?;
    Ok(Listed {
        name: view::vf::pf_name(&pf, report.uplink.as_ref(), &rdma),
        pf,
        report,
        vfs,
    })
}

fn unread(error: SysfsError) -> Failure {
    unselected(SelectError::Sysfs(error))
}

//! `Change`: the steps that give a VF what is wished for, and the way they go.

use std::time::Duration;

use super::failed::Failed;
use super::guid_holder::{self, Holder};
use super::ipoib;
use super::link_layer::LinkLayer;
use super::pf::{Pf, Vf};
use super::report::{self, Gap, Report};
use super::step::Step;
use super::uplink::{Uplink, UplinkError};
use super::vendor;
use super::vf_side;
use super::wish::{Unfit, Wish, current};
use crate::kernel::modules::{self, Availability};
use crate::kernel::{Host, SysfsError};
use crate::pci::function;
use crate::types::{Guid, PciAddr};
use crate::wire::link::vf::VfSetting;

/// What is to be done to a VF.
#[derive(Debug)]
pub struct Change {
    /// Its PF.
    pub pf: Pf,
    /// The VF.
    pub vf: Vf,
    /// What it speaks.
    pub layer: LinkLayer,
    /// How its PF takes settings.
    pub way: Way,
    /// What is not so yet, in the order it is done.
    pub steps: Vec<Step>,
    /// How long the PF may take over each over its network interface; `None` waits for ever. It costs a fork.
    pub limit: Option<Duration>,
}

/// How a PF takes the settings of its VFs.
#[derive(Debug)]
pub enum Way {
    /// Over its network interface.
    Uplink(Box<Uplink>),
    /// Over its network interface, once the module that makes it is loaded.
    Ipoib,
    /// By the vendor's files.
    Vendor,
}

/// What happened on the way, for the caller to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The module for IPoIB interfaces was loaded.
    Loaded,
    /// It could not be loaded; this is why.
    NotLoaded(String),
    /// The vendor's files were used: they take settings, and what they answer proves nothing.
    ByVendorFiles,
    /// The PF does not tell of this VF: what was set could not be read back.
    NotReadBack,
    /// The vendor's file answers with something else than what was written to it.
    Unproven(VfSetting),
}

/// Why a VF was not changed, or not as wished.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The wish does not fit the VF.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Somebody else has the GUID.
    #[error("the GUID {guid} is taken")]
    Taken {
        /// The GUID.
        guid: Guid,
        /// Who has it.
        holder: Holder,
    },
    /// Nothing says whether the PF speaks InfiniBand or Ethernet, for nothing hangs on it.
    #[error("the PF {pf} has neither a network interface nor an RDMA device")]
    Bare {
        /// The PF.
        pf: PciAddr,
        /// The driver bound to it.
        driver: Option<String>,
        /// Namespaces that could not be looked into.
        unseen: usize,
    },
    /// The PF has no interface that takes settings, and there is no second way.
    #[error("the PF {pf} has no network interface, through which its VFs are set")]
    NoUplink {
        /// The PF.
        pf: PciAddr,
        /// What it speaks.
        layer: LinkLayer,
        /// Whether the module for IPoIB interfaces can be had.
        ipoib: Availability,
        /// Why it was not loaded.
        not_loaded: Option<String>,
        /// Namespaces that could not be looked into.
        unseen: usize,
    },
    /// A step failed; what was done before it is undone.
    #[error(transparent)]
    Failed(#[from] Box<Failed>),
    /// The PF could not be asked.
    #[error(transparent)]
    Uplink(#[from] UplinkError),
}

impl From<SysfsError> for ChangeError {
    fn from(error: SysfsError) -> Self {
        Self::Uplink(error.into())
    }
}

/// Finds out what has to be done; nothing is changed yet. `force` lets a GUID be one of a group,
/// or somebody else's.
///
/// # Errors
/// [`ChangeError`], all but [`ChangeError::Failed`].
pub fn plan(host: &Host, pf: &Pf, vf: Vf, wish: &Wish, force: bool) -> Result<Change, ChangeError> {
    let report = report::of(host, pf)?;
    plan_after(host, pf, vf, wish, force, report, Module::Untried)
}

/// As [`plan`] without force, with what the PF told just now.
///
/// # Errors
/// As [`plan`].
pub fn plan_told(
    host: &Host,
    pf: &Pf,
    vf: Vf,
    wish: &Wish,
    report: Report,
) -> Result<Change, ChangeError> {
    plan_after(host, pf, vf, wish, false, report, Module::Untried)
}

/// What was done to get an IPoIB interface.
pub(super) enum Module {
    Untried,
    Loaded,
    NotLoaded(String),
}

pub(super) fn plan_after(
    host: &Host,
    pf: &Pf,
    vf: Vf,
    wish: &Wish,
    force: bool,
    report: Report,
    module: Module,
) -> Result<Change, ChangeError> {
    let unseen = match report.gap {
        Some(Gap::NoUplink { unseen }) => unseen,
        _ => 0,
    };
    let Some(layer) = report.layer else {
        let function = function::read(host.sysfs(), pf.address)?;
        return Err(ChangeError::Bare {
            pf: pf.address,
            driver: function.and_then(|function| function.driver),
            unseen,
        });
    };
    wish.check(layer, force)?;
    let steps = steps(host, &report, vf, wish)?;
    if !force {
        let new = steps.iter().filter_map(|step| match step.setting {
            VfSetting::NodeGuid(guid) | VfSetting::PortGuid(guid) => Some(guid),
            _ => None,
        });
        let new: Vec<Guid> = new.filter(|guid| guid.is_assignable()).collect();
        if let Some((guid, holder)) = guid_holder::find(host, pf, &report, vf, &new) {
            return Err(ChangeError::Taken { guid, holder });
        }
    }
    let is_ib = layer == LinkLayer::InfiniBand;
    let way = match (report.uplink, module) {
        (Some(uplink), _) => Way::Uplink(Box::new(uplink)),
        (None, Module::Untried) if is_ib && ipoib::may_help(host) => Way::Ipoib,
        (None, _) if is_ib && vendor::has(host.sysfs(), pf.address, vf) => Way::Vendor,
        (None, module) => {
            return Err(ChangeError::NoUplink {
                pf: pf.address,
                layer,
                ipoib: modules::availability(host, ipoib::MODULE),
                not_loaded: match module {
                    Module::NotLoaded(why) => Some(why),
                    Module::Untried | Module::Loaded => None,
                },
                unseen,
            });
        }
    };
    Ok(Change {
        pf: pf.clone(),
        vf,
        layer,
        way,
        steps,
        limit: None,
    })
}

/// What the vendor's file says counts as what it was before where the VF goes by it, and never as
/// a reason to do nothing.
fn steps(host: &Host, report: &Report, vf: Vf, wish: &Wish) -> Result<Vec<Step>, ChangeError> {
    let told = report.told.get(&vf.index);
    let settings = wish.settings(told)?.into_iter();
    let steps = settings.map(|setting| Step {
        setting,
        before: told.and_then(|told| current(told, setting)),
    });
    if !report.unproven.contains(&vf.index) {
        let steps = steps.filter(|step| step.before != Some(step.setting));
        return Ok(steps.collect());
    }
    let side = vf_side::read(host.sysfs(), vf)?;
    let goes_by = |setting: &VfSetting| match setting {
        VfSetting::NodeGuid(guid) => side.rdma.iter().any(|each| each.node_guid == Some(*guid)),
        VfSetting::PortGuid(guid) => side.rdma.iter().any(|each| each.port_guid == Some(*guid)),
        _ => false,
    };
    let steps = steps.map(|step| Step {
        before: step.before.filter(goes_by),
        ..step
    });
    Ok(steps.collect())
}

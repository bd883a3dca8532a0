//! `vf bind`, `vf unbind`, `vf rebind`: which driver has a VF.

use std::time::Instant;

use clap::Args;

use super::{Patience, Trees, locked, losses, plain, show, unread, unselected, users};
use crate::cli::words::unmarked;
use crate::cli::{Context, Failure};
use crate::kernel::modules::{self, Availability};
use crate::pci::appearance::{Ears, Equipment};
use crate::pci::driver;
use crate::pci::driver_error::DriverError;
use crate::sriov::arrival::{Lack, Trouble};
use crate::sriov::binding::{BindingError, Job};
use crate::sriov::pf::{Pf, Vf};
use crate::sriov::selector;
use crate::sriov::usage::Usage;
use crate::types::{DriverName, Invalid};
use crate::view::explain;
use crate::view::explain::usage::Loss;

#[derive(Debug, Clone, Args)]
pub(super) struct Bind {
    /// VF: PF/INDEX, its PCI address, interface or RDMA device
    #[arg(value_parser = plain)]
    vf: String,
    /// The driver, such as vfio-pci; otherwise the one that knows the VF
    #[arg(long, value_name = "NAME", value_parser = driver_name)]
    driver: Option<DriverName>,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Unbind {
    /// VF: PF/INDEX, its PCI address, interface or RDMA device
    #[arg(value_parser = plain)]
    vf: String,
    #[command(flatten)]
    patience: Patience,
}

/// What becomes of the driver that the VF has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It stays, if it is the right one.
    Bind,
    /// It goes first, whichever it is.
    Rebind,
}

fn driver_name(word: &str) -> Result<DriverName, Invalid> {
    unmarked(word).parse()
}

impl Bind {
    /// A VF to its own driver, with the usual patience.
    pub(super) fn to_its_own(vf: Vf) -> Self {
        Self {
            vf: vf.address.to_string(),
            driver: None,
            patience: Patience { timeout: None },
        }
    }

    pub(super) fn run(self, cx: &mut Context<'_>, way: Way) -> Result<(), Failure> {
        let (host, trees) = (cx.host, Trees::of(cx.host));
        let (pf, vf) = selector::vf(trees.own(), &self.vf).map_err(unselected)?;
        if cx.dry_run {
            let steps = self.steps(cx, &pf, vf, way)?;
            cx.plan_all(|| steps)?;
            return Ok(());
        }
        let limit = self.patience.limit(1);
        let deadline = Instant::now() + limit;
        let _locks = locked(cx, pf.address, &[vf], deadline)?;
        if way == Way::Rebind {
            users(cx, &pf, &[vf], Loss::Unbound)?;
        }
        let expected = self.expected(&trees, &pf)?;
        let mut ears = Ears::open(host);
        let job = Job {
            host,
            pf: &pf,
            vf,
            deadline,
        };
        let changed = match way {
            Way::Bind => job.bind(self.driver.as_ref()),
            Way::Rebind => job.rebind(self.driver.as_ref()).map(|()| true),
        };
        if !changed.map_err(|error| failed(cx, &error))? {
            return show(cx, &trees, pf.address, &[vf]);
        }
        let lacks = ears.wait(trees.home(), &[(vf.address, expected)], deadline);
        let lacks = lacks.map_err(|error| unread(&error))?;
        show(cx, &trees, pf.address, &[vf])?;
        let troubles: Vec<Trouble> = lacks
            .into_iter()
            .map(|lack| Trouble {
                vf,
                lack: Lack::Equipment(lack.missing),
            })
            .collect();
        if troubles.is_empty() {
            return Ok(());
        }
        let told = explain::binding::troubles(&troubles, limit.as_secs());
        Err(Failure::Several(told))
    }

    /// What would be done; a failure when somebody uses the VF.
    pub(super) fn steps(
        &self,
        cx: &mut Context<'_>,
        pf: &Pf,
        vf: Vf,
        way: Way,
    ) -> Result<Vec<String>, Failure> {
        let usage = match way {
            Way::Bind => Usage::default(),
            Way::Rebind => users(cx, pf, &[vf], Loss::Unbound)?,
        };
        let before = driver::bound(cx.host.sysfs(), vf.address).ok().flatten();
        let mut steps: Vec<String> = losses(&usage).collect();
        if let (Way::Rebind, Some(before)) = (way, &before) {
            steps.push(unbinding(vf, before));
        }
        // Done already is nothing to do.
        let done = match (&before, &self.driver) {
            (Some(now), Some(driver)) => now == driver.as_str(),
            (now, None) => now.is_some(),
            _ => false,
        };
        if way == Way::Rebind || !done {
            let whose = match &self.driver {
                Some(driver) => format!("driver {driver}"),
                None => "its own driver".to_owned(),
            };
            steps.push(format!("bind {} to {whose}", named(vf)));
        }
        Ok(steps)
    }

    /// A driver that hands functions on makes nothing of them; another's VF has what the PF has.
    fn expected(&self, trees: &Trees<'_>, pf: &Pf) -> Result<Equipment, Failure> {
        if self.driver.as_ref().is_some_and(DriverName::takes_anything) {
            return Ok(Equipment {
                driver: true,
                ..Equipment::default()
            });
        }
        trees.expected(pf.address).map_err(|error| unread(&error))
    }
}

impl Unbind {
    pub(super) fn run(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let (host, trees) = (cx.host, Trees::of(cx.host));
        let (pf, vf) = selector::vf(trees.own(), &self.vf).map_err(unselected)?;
        if cx.dry_run {
            let usage = users(cx, &pf, &[vf], Loss::Unbound)?;
            let before = driver::bound(host.sysfs(), vf.address).ok().flatten();
            cx.plan_all(|| {
                let mut steps: Vec<String> = losses(&usage).collect();
                steps.extend(before.map(|before| unbinding(vf, &before)));
                steps
            })?;
            return Ok(());
        }
        let deadline = Instant::now() + self.patience.limit(1);
        let _locks = locked(cx, pf.address, &[vf], deadline)?;
        users(cx, &pf, &[vf], Loss::Unbound)?;
        let job = Job {
            host,
            pf: &pf,
            vf,
            deadline,
        };
        job.unbind().map_err(|error| failed(cx, &error))?;
        show(cx, &trees, pf.address, &[vf])
    }
}

fn named(vf: Vf) -> String {
    format!("VF {} ({})", vf.index, vf.address)
}

fn unbinding(vf: Vf, driver: &str) -> String {
    format!("take {} from driver {driver}", named(vf))
}

fn failed(cx: &Context<'_>, error: &BindingError) -> Failure {
    let missing = match error {
        BindingError::Driver(DriverError::NoSuchDriver { driver })
        | BindingError::Left {
            cause: DriverError::NoSuchDriver { driver },
            ..
        } => modules::availability(cx.host, &driver.module()),
        _ => Availability::Unknown,
    };
    explain::binding::explain(error, missing).into()
}

//! The steps of the host: modules and the namespace mode.

use super::StepError;
use crate::kernel::modules::{self, Availability};
use crate::kernel::{Host, module_loader};
use crate::provision::journal;
use crate::provision::plan::{Action, Step};
use crate::rdma::boot;
use crate::rdma::mode::{self, USUAL_PATIENCE, Wait};
use crate::rdma::persist::{self, Edit};
use crate::types::NetnsMode;

/// Does a step on the way back.
pub(super) fn take_back(host: &Host, step: &Step) -> Result<(), StepError> {
    if let Action::PersistNetns { to, .. } = &step.action {
        if journal::made_file(host)? {
            persist::unmake(host)?;
        }
        let configured = boot::settings(host).configured;
        let now = configured.and_then(|configured| configured.mode);
        if now.unwrap_or(NetnsMode::Shared) != *to {
            persisted(host, *to)?;
        }
        journal::forget_mode(host)?;
    }
    Ok(())
}

fn persisted(host: &Host, to: NetnsMode) -> Result<(), StepError> {
    let files = persist::plan(host, to)?;
    persist::write(host, &files)?;
    match persist::plan(host, to)?.is_empty() {
        true => Ok(()),
        false => Err(StepError::NotSo),
    }
}

pub(super) fn carry_out(host: &Host, step: &Step) -> Result<(), StepError> {
    match &step.action {
        Action::LoadModule(module) => {
            module_loader::load(host, module)?;
            match modules::availability(host, module.as_str()) {
                Availability::Present => Ok(()),
                _ => Err(StepError::NotSo),
            }
        }
        Action::PersistNetns { from, to } => {
            let files = persist::plan(host, *to)?;
            let made = files.iter().any(|file| file.edit == Edit::New);
            journal::keep_mode(host, *from, made)?;
            persisted(host, *to)
        }
        Action::SetNetns { to, .. } => {
            let mut conn = host.rdma()?;
            Ok(mode::change(
                host,
                &mut conn,
                *to,
                Wait::Dying(USUAL_PATIENCE),
            )?)
        }
        // The planner gives the host no other steps.
        _ => Ok(()),
    }
}

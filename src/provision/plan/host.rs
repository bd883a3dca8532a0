//! The steps of the host: modules, and the namespace mode, which comes before any namespace.

use super::step::{Action, Block, Class, Reason, Step, Target};
use crate::kernel::modules::Availability;
use crate::provision::document::Document;
use crate::provision::observed::HostState;
use crate::provision::problem::Problem;
use crate::sriov::ipoib;
use crate::types::{ModuleName, NetnsMode};

pub(super) fn plan(
    document: &Document,
    host: &HostState,
    needs_ipoib: bool,
) -> (Vec<Step>, Vec<Problem>) {
    let (mut steps, mut problems) = (Vec::new(), Vec::new());
    let there = |module: &ModuleName| {
        let known = host.modules.get(module).copied();
        known.unwrap_or(Availability::Unknown)
    };
    let load = |module: &ModuleName, reason| {
        Step::safe(Target::Host, Action::LoadModule(module.clone()), reason)
    };
    for module in &document.modules {
        match there(module) {
            Availability::Present => {}
            Availability::Missing => problems.push(Problem::NoModule(module.to_string())),
            Availability::Installed | Availability::Unknown => {
                steps.push(load(module, Reason::Declared));
            }
        }
    }
    if let Ok(module) = ipoib::MODULE.parse::<ModuleName>()
        && needs_ipoib
        && !document.modules.contains(&module)
    {
        steps.push(load(&module, Reason::NeededForGuids));
    }
    if let Some(mode) = document.rdma_netns {
        steps.extend(persist(host, mode));
        steps.extend(set(host, mode));
    }
    (steps, problems)
}

/// Files count for a module that the command line says nothing of.
fn persist(host: &HostState, to: NetnsMode) -> Option<Step> {
    let netns = &host.netns;
    if netns.is_built_in || netns.command_line.is_some() {
        return None;
    }
    let from = netns.configured.as_ref().map(|configured| configured.mode);
    // A value that the kernel would refuse is no mode; what nobody sets is shared.
    if from.unwrap_or(Some(NetnsMode::Shared)) == Some(to) {
        return None;
    }
    let from = from.flatten();
    let action = Action::PersistNetns { from, to };
    Some(Step::safe(Target::Host, action, Reason::NextBoot))
}

fn set(host: &HostState, to: NetnsMode) -> Option<Step> {
    let from = host.netns.running;
    if from == Some(to) {
        return None;
    }
    let action = Action::SetNetns { from, to };
    let step = Step::safe(Target::Host, action, Reason::Declared);
    Some(match host.other_namespaces {
        0 => step,
        others => Step {
            class: Class::Reboot,
            blocked: Some(Block::Namespaces(others)),
            ..step
        },
    })
}

//! The steps of one PF: its VFs, their number first.

use std::collections::BTreeMap;

use super::step::{Action, Block, Class, Reason, Step, Target};
use super::{eswitch, vfs};
use crate::kernel::modules::Availability;
use crate::provision::desired::{self, Basis, VfDesired};
use crate::provision::document::{Disruptive, Document, Firmware, Ownership, PfEntry};
use crate::provision::firmware::{Judgement, Standing, WaitsFor};
use crate::provision::observed::{HostState, PfState};
use crate::provision::problem::Problem;
use crate::sriov::ipoib;
use crate::sriov::link_layer::LinkLayer;
use crate::types::{Guid, Mac, PciAddr};

/// The VF that gets an address, so that no other does.
pub(super) type Given = BTreeMap<Address, (PciAddr, u16)>;

/// What a VF is to go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Address {
    Guid(Guid),
    Mac(Mac),
}

/// The way of one PF.
#[derive(Default)]
pub(super) struct Way {
    pub steps: Vec<Step>,
    /// What is wrong, and does not keep the steps from being done.
    pub problems: Vec<Problem>,
    pub needs_ipoib: bool,
}

/// # Errors
/// The problem that leaves no way.
pub(super) fn plan(
    document: &Document,
    entry: &PfEntry,
    state: &PfState,
    host: &HostState,
    standing: Option<&Standing>,
    given: &mut Given,
) -> Result<Way, Problem> {
    let mut way = Way::default();
    if state.driver.is_none() {
        return Err(Problem::NoDriver);
    }
    let offered = state.pf.total_vfs;
    let is_ours = entry.ownership == Ownership::Full;
    let is_observed = entry.ownership == Ownership::Observe;
    let writes = is_ours && document.policy.firmware == Firmware::Write;
    if writes {
        way.steps.extend(firmware(state.pf.address, standing)?);
    }
    if let Some(wanted) = entry.total_vfs.filter(|wanted| *wanted > offered)
        && !writes
        && document.policy.firmware != Firmware::Unmanaged
    {
        way.problems
            .push(Problem::TooFewOffered { wanted, offered });
    }
    if let (Some(is), Some(wanted)) = (state.layer, entry.layer)
        && is != wanted
    {
        // The rest follows the reset.
        return match writes {
            true => Ok(way),
            false => Err(Problem::WrongLayer { is, wanted }),
        };
    }
    let now = state.pf.vfs.len();
    let wanted = desired::count(entry, offered, now);
    if wanted > offered {
        let problem = Problem::TooFewOffered { wanted, offered };
        match (writes, is_observed) {
            (true, _) => return Ok(way),
            // The VFs that are there are compared all the same.
            (false, true) => way.problems.push(problem),
            (false, false) => return Err(problem),
        }
    }
    let mut target = wanted;
    if !is_ours && usize::from(wanted) != now {
        way.problems.push(Problem::NotOurs { wanted, is: now });
        target = wanted.min(u16::try_from(now).unwrap_or(u16::MAX));
    }
    let layer = state.layer.or(entry.layer).ok_or(Problem::UnknownLayer)?;
    let mode = match eswitch::change(entry, state) {
        Ok(mode) => mode,
        Err(problem) => {
            way.problems.push(problem);
            None
        }
    };
    let basis = Basis {
        layer,
        guid: state.guid,
        mac: state.mac,
        told: &state.told,
    };
    let vfs = desired::vfs(document, entry, &basis, target)?;
    doubles(state.pf.address, &vfs, given)?;
    if (is_ours || is_observed) && entry.up {
        let pf = Target::Pf(state.pf.address);
        let step = Step::safe(pf, Action::BringUp, Reason::Declared);
        match (state.up, layer) {
            (Some(true), _) => {}
            (Some(false), _) => way.steps.push(step),
            // It comes with the module, and is down then.
            (None, LinkLayer::InfiniBand) if may_load_ipoib(host) => {
                way.needs_ipoib = true;
                way.steps.push(step);
            }
            (None, _) => way.problems.push(Problem::NoUplink),
        }
    }
    let is_first = mode.is_some_and(|mode| mode.is_before_vfs) && now > 0;
    if is_ours && (usize::from(wanted) != now || is_first) {
        way.steps.extend(anew(document, mode, state, &vfs, wanted)?);
    } else {
        let mut steps = match mode {
            Some(mode) => eswitch::existing(mode, document.policy, state, &vfs)?,
            None => Vec::new(),
        };
        for vf in vfs.iter().filter(|vf| mode.is_none() && !vf.is_left) {
            steps.extend(vfs::existing(document.policy, state, vf)?);
        }
        if is_ours && state.left_off {
            // Behind what is set, before the first driver.
            let is_driver =
                |step: &Step| matches!(step.action, Action::Bind { .. } | Action::Unbind { .. });
            let at = steps.iter().position(is_driver).unwrap_or(steps.len());
            let pf = Target::Pf(state.pf.address);
            let on = Step::safe(pf, Action::Probing { to: true }, Reason::LeftOff);
            steps.insert(at, on);
        }
        way.steps.extend(steps);
    }
    if is_observed {
        for step in &mut way.steps {
            step.blocked = Some(Block::Observed);
            step.users.clear();
        }
        way.needs_ipoib = false;
        return Ok(way);
    }
    uplink(&mut way, layer, state, host)?;
    Ok(way)
}

/// What is to be done to the firmware of the card that a PF stands for.
fn firmware(pf: PciAddr, standing: Option<&Standing>) -> Result<Vec<Step>, Problem> {
    let judged = match standing {
        None => return Ok(Vec::new()),
        Some(Standing::Unknown(why)) => return Err(Problem::FirmwareUnknown(why.clone())),
        Some(Standing::Known(judged)) => judged,
    };
    let mut steps = Vec::new();
    for (judgement, waits) in judged {
        let (class, blocked, action) = match judgement.clone() {
            Judgement::Fulfilled { .. } => continue,
            Judgement::Impossible { key, obstacle, to } => {
                return Err(Problem::FirmwareFixed { key, obstacle, to });
            }
            Judgement::Change { key, from, to } => {
                (Class::Reboot, None, Action::SetFirmware { key, from, to })
            }
            Judgement::Pending { key, from, to } => {
                let class = match waits {
                    WaitsFor::Reboot => Class::Reboot,
                    WaitsFor::PowerCycle { .. } => Class::PowerCycle,
                };
                let action = Action::ResetFirmware { key, from, to };
                (class, Some(Block::Reset), action)
            }
        };
        steps.push(Step {
            class,
            blocked,
            ..Step::safe(Target::Pf(pf), action, Reason::Declared)
        });
    }
    Ok(steps)
}

/// No two VFs of the host may go by one address.
fn doubles(pf: PciAddr, vfs: &[VfDesired], given: &mut Given) -> Result<(), Problem> {
    for vf in vfs {
        let wish = &vf.wish;
        let both = [wish.node_guid, wish.port_guid].into_iter().flatten();
        let all = both.map(Address::Guid).chain(wish.mac.map(Address::Mac));
        for address in all {
            let own = (pf, vf.index);
            let (other, other_index) = *given.entry(address).or_insert(own);
            if (other, other_index) != own {
                return Err(Problem::Double {
                    index: vf.index,
                    address: match address {
                        Address::Guid(guid) => guid.to_string(),
                        Address::Mac(mac) => mac.to_string(),
                    },
                    other: other.to_string(),
                    other_index,
                });
            }
        }
    }
    Ok(())
}

/// The number changes: from none, or through none.
fn anew(
    document: &Document,
    mode: Option<eswitch::Change>,
    state: &PfState,
    vfs: &[VfDesired],
    wanted: u16,
) -> Result<Vec<Step>, Problem> {
    let pf = state.pf.address;
    let now = state.pf.vfs.len();
    let mut steps = Vec::new();
    if now > 0 {
        let blocked = removal(document.policy.disruptive, state);
        let users = state.usage.iter().flat_map(|usage| usage.uses.clone());
        steps.push(Step {
            class: Class::DestroysVfs,
            blocked,
            users: users.collect(),
            ..Step::safe(
                Target::Pf(pf),
                Action::Remove { from: now },
                match wanted {
                    0 => Reason::Declared,
                    wanted if usize::from(wanted) == now => Reason::EswitchFirst,
                    wanted => Reason::ThroughZero { wanted },
                },
            )
        });
    }
    let switched = mode.map(|mode| mode.step(state));
    let is_first = wanted == 0 || mode.is_some_and(|mode| mode.is_before_vfs);
    steps.extend(switched.clone().filter(|_| is_first));
    if wanted > 0 {
        let probing = |to, reason| Step::safe(Target::Pf(pf), Action::Probing { to }, reason);
        if state.probing {
            steps.push(probing(false, Reason::BeforeDrivers));
        }
        let create = Action::Create { to: wanted };
        steps.push(Step::safe(Target::Pf(pf), create, Reason::Declared));
        steps.extend(switched.filter(|_| !is_first));
        for vf in vfs {
            steps.extend(vfs::new_settings(pf, vf)?);
        }
        if state.probing || state.left_off {
            steps.push(probing(true, Reason::AfterSettings));
        }
        // One after the other: RDMA devices get their names in this order.
        steps.extend(vfs.iter().filter_map(|vf| vfs::first_driver(pf, vf)));
    }
    // What follows a removal that will not be done will not either.
    if steps.first().is_some_and(|step| step.blocked.is_some()) {
        for step in &mut steps[1..] {
            step.blocked = Some(Block::Earlier);
        }
    }
    Ok(steps)
}

fn removal(disruptive: Disruptive, state: &PfState) -> Option<Block> {
    let Some(usage) = &state.usage else {
        return Some(Block::UsageUnknown);
    };
    match disruptive {
        Disruptive::Never => Some(Block::Policy),
        Disruptive::IfIdle => Block::unless_idle(Some(usage), !usage.uses.is_empty()),
        Disruptive::Force => None,
    }
}

/// Somebody has to give VFs what they are to have.
fn uplink(
    way: &mut Way,
    layer: LinkLayer,
    state: &PfState,
    host: &HostState,
) -> Result<(), Problem> {
    let is_set = |step: &Step| matches!(step.action, Action::Set { .. });
    // A PF that tells of its VFs can be told of them, by its interface or the vendor's files.
    let is_heard = state.up.is_some() || !state.told.is_empty();
    if is_heard || !way.steps.iter().any(is_set) {
        return Ok(());
    }
    if layer == LinkLayer::Ethernet {
        return Err(Problem::NoUplink);
    }
    match ipoib_there(host) {
        // It is being made, or is out of sight.
        Availability::Present => {}
        Availability::Missing => return Err(Problem::NoUplink),
        Availability::Installed | Availability::Unknown => way.needs_ipoib = true,
    }
    Ok(())
}

fn may_load_ipoib(host: &HostState) -> bool {
    matches!(
        ipoib_there(host),
        Availability::Installed | Availability::Unknown
    )
}

fn ipoib_there(host: &HostState) -> Availability {
    let mut modules = host.modules.iter();
    let module = modules.find(|(module, _)| module.as_str() == ipoib::MODULE);
    module.map_or(Availability::Unknown, |(_, there)| *there)
}

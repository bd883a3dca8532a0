//! Giving many VFs of a PF what they are to have: one conversation, and one look at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::carrying_out;
use super::change::{self, ChangeError};
use super::failed::{Failed, StepError};
use super::guid_holder::{self, Holder};
use super::pf::{Pf, Vf};
use super::report;
use super::uplink::{self, Uplink};
use super::wish::{Wish, current};
use crate::kernel::{Host, NetlinkError};
use crate::pci::function;
use crate::types::{Guid, PciAddr};
use crate::wire::link::message::set_vf;
use crate::wire::link::vf::VfSetting;

/// A VF, and what it is to be given.
pub type Gift = (Vf, Vec<VfSetting>);

/// Gives each VF its settings, and says what came of each, in their order.
///
/// What the PF takes at once is read back in one go: asking a PF after each setting costs more
/// than the settings, with many VFs. A VF that has not got everything so is changed by itself,
/// which knows other ways, and why it failed. Nobody gets a GUID that another has, except from the
/// VFs of `changing`, which are about to be given others. The PF has `limit` for all.
///
/// # Errors
/// [`Failed`] for the setting that the kernel has not come back from: nothing is known of the others.
pub fn give(
    host: &Host,
    pf: &Pf,
    gifts: &[Gift],
    changing: &BTreeSet<PciAddr>,
    limit: Duration,
) -> Result<Vec<Result<(), ChangeError>>, Box<Failed>> {
    let mut excused = changing.clone();
    excused.extend(gifts.iter().map(|(vf, _)| vf.address));
    let guids = gifts.iter().flat_map(|(_, settings)| settings);
    let guids = guids.filter_map(|setting| guid(*setting)).collect();
    let mut taken: BTreeMap<Guid, Holder> = BTreeMap::new();
    for (guid, holder) in guid_holder::taken(host, &excused, &guids) {
        // The VF says more than its device.
        taken.entry(guid).or_insert(holder);
    }
    let mut outcomes = BTreeMap::new();
    let mut free = Vec::new();
    for (at, (vf, settings)) in gifts.iter().enumerate() {
        let mut guids = settings.iter().filter_map(|setting| guid(*setting));
        match guids.find_map(|guid| taken.remove_entry(&guid)) {
            Some((guid, holder)) => {
                outcomes.insert(at, Err(ChangeError::Taken { guid, holder }));
            }
            None => free.push((at, (*vf, settings.clone()))),
        }
    }
    let (at, free): (Vec<usize>, Vec<Gift>) = free.into_iter().unzip();
    let given = at_once(host, pf, &free, limit)?.unwrap_or_else(|| vec![false; free.len()]);
    for ((at, (vf, settings)), is_given) in at.into_iter().zip(&free).zip(given) {
        let outcome = match is_given {
            true => Ok(()),
            false => alone(host, pf, *vf, settings, limit),
        };
        if let Err(ChangeError::Failed(failed)) = outcome {
            if failed.is_stuck() {
                return Err(failed);
            }
            outcomes.insert(at, Err(ChangeError::Failed(failed)));
            continue;
        }
        outcomes.insert(at, outcome);
    }
    Ok(outcomes.into_values().collect())
}

/// The GUID that a VF would go by.
fn guid(setting: VfSetting) -> Option<Guid> {
    match setting {
        VfSetting::NodeGuid(guid) | VfSetting::PortGuid(guid) => Some(guid),
        _ => None,
    }
    .filter(|guid| guid.is_assignable())
}

/// Which VFs have all; `None` where the PF cannot be spoken to.
fn at_once(
    host: &Host,
    pf: &Pf,
    gifts: &[Gift],
    limit: Duration,
) -> Result<Option<Vec<bool>>, Box<Failed>> {
    let Ok(Some(uplink)) = uplink::find(host, pf.address) else {
        return Ok(None);
    };
    let each = gifts.iter().flat_map(|(vf, settings)| {
        let of_vf = settings.iter();
        of_vf.map(move |setting| (*vf, *setting))
    });
    let each: Vec<(Vf, VfSetting)> = each.collect();
    let requests = each
        .iter()
        .map(|(vf, setting)| set_vf(uplink.index, vf.index.into(), *setting));
    let requests: Vec<_> = requests.collect();
    let spoken = uplink.speak(host, |conn| {
        let outcomes = conn.change_all_within(&requests, limit)?;
        let is_stuck = matches!(outcomes.last(), Some(Err(NetlinkError::Stuck { .. })));
        // A look would wait for the same.
        let told = if is_stuck {
            None
        } else {
            report::told(conn, &uplink)?
        };
        Ok::<_, NetlinkError>((outcomes, told))
    });
    let Ok(Ok((mut outcomes, told))) = spoken else {
        return Ok(None);
    };
    if let Some(Err(why @ NetlinkError::Stuck { .. })) =
        outcomes.pop_if(|last| matches!(last, Err(NetlinkError::Stuck { .. })))
        && let Some((vf, setting)) = each.get(outcomes.len())
    {
        return Err(stuck(host, pf, &uplink, *vf, *setting, why.into()));
    }
    let Some(told) = told else { return Ok(None) };
    let is_so = |(vf, setting): &(Vf, VfSetting)| {
        let told = told.get(&vf.index);
        told.and_then(|told| current(told, *setting)) == Some(*setting)
    };
    let both = each.iter().zip(&outcomes);
    let missing = both.filter(|(each, outcome)| outcome.is_err() || !is_so(each));
    let missing: BTreeSet<u16> = missing.map(|((vf, _), _)| vf.index).collect();
    let has = gifts.iter().map(|(vf, _)| !missing.contains(&vf.index));
    Ok(Some(has.collect()))
}

fn stuck(
    host: &Host,
    pf: &Pf,
    uplink: &Uplink,
    vf: Vf,
    setting: VfSetting,
    why: StepError,
) -> Box<Failed> {
    let function = function::read(host.sysfs(), pf.address);
    Box::new(Failed {
        pf: pf.address,
        driver: function.ok().flatten().and_then(|function| function.driver),
        uplink: Some(uplink.name.clone()),
        vf,
        setting,
        why,
        undone: Vec::new(),
        left: Vec::new(),
    })
}

fn alone(
    host: &Host,
    pf: &Pf,
    vf: Vf,
    settings: &[VfSetting],
    limit: Duration,
) -> Result<(), ChangeError> {
    let wish = wish(settings);
    let mut change = change::plan(host, pf, vf, &wish, false)?;
    change.limit = Some(limit);
    carrying_out::apply(host, change, &wish, false, &mut Vec::new())
}

/// The wish that leads to these settings.
fn wish(settings: &[VfSetting]) -> Wish {
    let mut wish = Wish::default();
    for setting in settings {
        match *setting {
            VfSetting::NodeGuid(guid) => wish.node_guid = Some(guid),
            VfSetting::PortGuid(guid) => wish.port_guid = Some(guid),
            VfSetting::Mac(mac) => wish.mac = Some(mac),
            VfSetting::Vlan(vlan) => {
                wish.vlan = Some(vlan.id);
                wish.qos = Some(vlan.qos);
                wish.proto = Some(vlan.proto);
            }
            VfSetting::Rates(rates) => {
                wish.min_rate = Some(rates.min);
                wish.max_rate = Some(rates.max);
            }
            VfSetting::Spoofchk(on) => wish.spoofchk = Some(on),
            VfSetting::Trust(on) => wish.trust = Some(on),
            VfSetting::QueryRss(on) => wish.query_rss = Some(on),
            VfSetting::State(state) => wish.state = Some(state),
        }
    }
    wish
}

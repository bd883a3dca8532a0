//! Giving many VFs of a PF what they are to have: one conversation, and one look at the end.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{self, ChangeError};
use super::guid_holder::{self, Holder};
use super::pf::{Pf, Vf};
use super::report;
use super::uplink;
use super::wish::{Wish, current};
use crate::kernel::Host;
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
/// VFs of `changing`, which are about to be given others.
pub fn give(
    host: &Host,
    pf: &Pf,
    gifts: &[Gift],
    changing: &BTreeSet<PciAddr>,
) -> Vec<Result<(), ChangeError>> {
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
    let given = at_once(host, pf, &free).unwrap_or_else(|| vec![false; free.len()]);
    for ((at, (vf, settings)), is_given) in at.into_iter().zip(&free).zip(given) {
        let outcome = match is_given {
            true => Ok(()),
            false => alone(host, pf, *vf, settings),
        };
        outcomes.insert(at, outcome);
    }
    outcomes.into_values().collect()
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
fn at_once(host: &Host, pf: &Pf, gifts: &[Gift]) -> Option<Vec<bool>> {
    let uplink = uplink::find(host, pf.address).ok()??;
    let spoken = uplink.speak(host, |conn| {
        let mut taken = Vec::new();
        for (vf, settings) in gifts {
            let mut each = settings.iter();
            taken.push(each.all(|setting| {
                let request = set_vf(uplink.index, vf.index.into(), *setting);
                conn.change(&request).is_ok()
            }));
        }
        (taken, report::told(conn, &uplink))
    });
    let (taken, told) = spoken.ok()?;
    let told = told.ok()??;
    let both = gifts.iter().zip(taken);
    let has = |((vf, settings), taken): (&Gift, bool)| {
        let told = told.get(&vf.index);
        let is_so =
            |setting: &VfSetting| told.and_then(|told| current(told, *setting)) == Some(*setting);
        taken && settings.iter().all(is_so)
    };
    Some(both.map(has).collect())
}

fn alone(host: &Host, pf: &Pf, vf: Vf, settings: &[VfSetting]) -> Result<(), ChangeError> {
    let wish = wish(settings);
    let change = change::plan(host, pf, vf, &wish, false)?;
    change::apply(host, change, &wish, false, &mut Vec::new())
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

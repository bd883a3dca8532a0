//! Giving many VFs of a PF what they are to have: one conversation, and one look at the end.

use super::change::{self, ChangeError};
use super::pf::{Pf, Vf};
use super::report;
use super::uplink;
use super::wish::{Wish, current};
use crate::kernel::Host;
use crate::wire::link::message::set_vf;
use crate::wire::link::vf::VfSetting;

/// A VF, and what it is to be given.
pub type Gift = (Vf, Vec<VfSetting>);

/// Gives each VF its settings, and says what came of each, in their order.
///
/// What the PF takes at once is read back in one go: asking a PF after each setting costs more
/// than the settings, with many VFs. A VF that has not got everything so is changed by itself,
/// which knows other ways, and why it failed.
pub fn give(host: &Host, pf: &Pf, gifts: &[Gift]) -> Vec<Result<(), ChangeError>> {
    let given = at_once(host, pf, gifts).unwrap_or_else(|| vec![false; gifts.len()]);
    let both = gifts.iter().zip(given);
    both.map(|((vf, settings), is_given)| match is_given {
        true => Ok(()),
        false => alone(host, pf, *vf, settings),
    })
    .collect()
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

//! VFs whose network interface works for somebody: addresses, bonds, VLANs.

use std::collections::BTreeMap;

use super::{How, UsageError, Use};
use crate::kernel::Host;
use crate::sriov::held::Held;
use crate::wire::address::{self, Address};
use crate::wire::link::{message, stacking::Stacking};

/// The uses, as the calling thread's namespace has them.
pub(super) fn look(host: &Host, held: &[Held]) -> Result<Vec<Use>, UsageError> {
    if held.iter().all(|each| each.netdevs.is_empty()) {
        return Ok(Vec::new());
    }
    let mut conn = host.route()?;
    let links = conn.list(&message::dump(false), Stacking::decode)?;
    let addresses: Vec<Address> = conn
        .list(&address::dump(), Address::decode)?
        .into_iter()
        .flatten()
        .collect();
    let by_index: BTreeMap<u32, &Stacking> = links.iter().map(|link| (link.index, link)).collect();
    let by_name: BTreeMap<&str, &Stacking> = links
        .iter()
        .map(|link| (link.name.as_str(), link))
        .collect();
    let name_of = |index: u32| {
        by_index
            .get(&index)
            .map_or_else(|| format!("interface {index}"), |link| link.name.clone())
    };
    let mut uses = Vec::new();
    for each in held {
        for netdev in &each.netdevs {
            let Some(link) = by_name.get(netdev.as_str()) else {
                continue;
            };
            let netdev = || netdev.to_string();
            let mut found = Vec::new();
            let given = addresses
                .iter()
                .filter(|address| address.index == link.index && !address.is_automatic());
            let given: Vec<_> = given.map(|address| address.net).collect();
            if link.up && !given.is_empty() {
                found.push(How::Addresses {
                    netdev: netdev(),
                    addresses: given,
                });
            }
            if let Some(master) = link.master {
                found.push(How::Member {
                    netdev: netdev(),
                    master: name_of(master),
                });
            }
            let uppers = links.iter().filter(|upper| upper.lower == Some(link.index));
            found.extend(uppers.map(|upper| How::Carries {
                netdev: netdev(),
                upper: upper.name.clone(),
            }));
            uses.extend(found.into_iter().map(|how| Use { vf: each.vf, how }));
        }
    }
    Ok(uses)
}

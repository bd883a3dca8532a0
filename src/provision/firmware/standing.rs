//! `Standing`: how the firmware of a card stands to what the PFs on it are to offer.

use std::collections::BTreeMap;

use super::{Access, Attempts, FirmwareError, Judgement, LinkType, WaitsFor, Wish, judge};
use crate::kernel::Host;
use crate::kernel::state::boot_id;
use crate::provision::document::{Count, Document, Ownership, PfEntry};
use crate::provision::observed::{Found, PfState};
use crate::sriov::link_layer::LinkLayer;
use crate::types::PciAddr;

/// How a card's firmware stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Each setting that matters, and what it waits for if it is pending.
    Known(Vec<(Judgement, WaitsFor)>),
    /// Nothing is known of it; this is why.
    Unknown(String),
}

/// Asks the cards whose PFs offer less than is declared, each by the first of these PFs. No card
/// is asked that offers enough.
pub fn look(host: &Host, document: &Document, found: &[Found]) -> BTreeMap<PciAddr, Standing> {
    let mut cards: BTreeMap<PciAddr, (PciAddr, Wish, u16)> = BTreeMap::new();
    for (entry, found) in document.pfs.iter().zip(found) {
        let Some(state) = found.one() else { continue };
        let own = wish(entry, state);
        if own.is_empty() {
            continue;
        }
        let pf = state.pf.address;
        let (_, wish, _) =
            cards
                .entry(pf.first())
                .or_insert((pf, Wish::default(), state.pf.total_vfs));
        *wish = std::mem::take(wish).and(&own);
    }
    let each = cards.into_values().map(|(pf, wish, offered)| {
        let standing = of_card(host, pf, &wish, offered);
        let unknown = |error: FirmwareError| Standing::Unknown(error.to_string());
        (pf, standing.unwrap_or_else(unknown))
    });
    each.collect()
}

/// What a PF lacks that its firmware could give it.
fn wish(entry: &PfEntry, state: &PfState) -> Wish {
    let mut wish = Wish::default();
    if entry.ownership != Ownership::Full {
        return wish;
    }
    let number = match entry.num_vfs {
        Some(Count::Number(number)) => Some(number),
        Some(Count::Max) | None => None,
    };
    let wanted = entry.total_vfs.max(number);
    wish.vfs = wanted.filter(|wanted| *wanted > state.pf.total_vfs);
    if let (Some(is), Some(wanted)) = (state.layer, entry.layer)
        && is != wanted
    {
        let link_type = match wanted {
            LinkLayer::InfiniBand => LinkType::Infiniband,
            LinkLayer::Ethernet => LinkType::Ethernet,
        };
        // The ports of a card are its functions, in their order.
        let port = state.pf.address.function() + 1;
        wish.link_types.insert(port, link_type);
    }
    wish
}

fn of_card(host: &Host, pf: PciAddr, wish: &Wish, offered: u16) -> Result<Standing, FirmwareError> {
    let (_, card) = Access::find(host, pf, wish, Some(offered))?;
    let attempts = Attempts::read(host)?;
    let boot = boot_id(host)?;
    let judged = judge(&card, wish).into_iter().map(|judgement| {
        let waits = match &judgement {
            Judgement::Pending { key, to, .. } => attempts.waits_for(pf, key, *to, boot.as_deref()),
            _ => WaitsFor::Reboot,
        };
        (judgement, waits)
    });
    Ok(Standing::Known(judged.collect()))
}

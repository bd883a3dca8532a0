//! `VfDesired`: what each VF of a PF is to have, worked out from the document and the PF.

use std::collections::BTreeMap;

use super::document::{Count, Document, DriverWish, PfEntry, Scheme};
use super::problem::Problem;
use crate::sriov::derived_guid;
use crate::sriov::derived_mac;
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::wish::Wish;
use crate::types::{Guid, Mac};
use crate::wire::link::vf::Vf as Told;

/// What one VF is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VfDesired {
    /// Its index.
    pub index: u16,
    /// Its driver.
    pub driver: DriverWish,
    /// How many interrupt vectors; `None` leaves them.
    pub msix: Option<u16>,
    /// It is left to others.
    pub is_left: bool,
    /// What its PF is to give it.
    pub wish: Wish,
}

/// What of a PF the wishes for its VFs follow from.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// What it speaks.
    pub layer: LinkLayer,
    /// Its port GUID.
    pub guid: Option<Guid>,
    /// The permanent address of its interface.
    pub mac: Option<Mac>,
    /// What its VFs have now.
    pub told: &'a BTreeMap<u16, Told>,
}

/// How many VFs a PF is to have that offers `total` and has `now`.
pub fn count(entry: &PfEntry, total: u16, now: usize) -> u16 {
    match entry.num_vfs {
        Some(Count::Number(number)) => number,
        Some(Count::Max) => total,
        None => u16::try_from(now).unwrap_or(u16::MAX),
    }
}

/// What the first `vfs` VFs of a PF are to have.
///
/// # Errors
/// [`Problem`], the first.
pub fn vfs(
    document: &Document,
    entry: &PfEntry,
    basis: &Basis<'_>,
    vfs: u16,
) -> Result<Vec<VfDesired>, Problem> {
    let (what, room) = match basis.layer {
        LinkLayer::InfiniBand => ("GUID", entry.guid.room()),
        LinkLayer::Ethernet => ("MAC address", entry.mac.room()),
    };
    if let Some(room) = room.filter(|room| *room < u64::from(vfs)) {
        return Err(Problem::Room { what, room, vfs });
    }
    (0..vfs)
        .map(|index| one(document, entry, basis, index))
        .collect()
}

fn one(
    document: &Document,
    entry: &PfEntry,
    basis: &Basis<'_>,
    index: u16,
) -> Result<VfDesired, Problem> {
    let mut own = entry.vfs.iter();
    let own = own.find(|vf| (vf.first..=vf.last).contains(&index));
    if own.is_some_and(|own| own.vf.is_left) {
        return Ok(VfDesired {
            index,
            driver: DriverWish::Unmanaged,
            msix: None,
            is_left: true,
            wish: Wish::default(),
        });
    }
    let mut wish = entry.defaults.wish;
    let mut driver = entry.defaults.driver.clone();
    let mut msix = entry.defaults.msix;
    if let Some(own) = own {
        wish = over(wish, own.vf.wish);
        driver = own.vf.driver.clone().or(driver);
        msix = own.vf.msix.or(msix);
    }
    let told = basis.told.get(&index);
    match basis.layer {
        LinkLayer::InfiniBand => {
            let [node, port] = guids(document, entry, basis, told, index, &wish)?;
            wish.node_guid = wish.node_guid.or(node);
            wish.port_guid = wish.port_guid.or(port);
        }
        LinkLayer::Ethernet if wish.mac.is_none() => {
            wish.mac = mac(document, entry, basis, told, index)?;
        }
        LinkLayer::Ethernet => {}
    }
    wish.check(basis.layer, false)
        .map_err(|why| Problem::Unfit { index, why })?;
    Ok(VfDesired {
        index,
        driver: driver.unwrap_or(DriverWish::Default),
        msix,
        is_left: false,
        wish,
    })
}

/// What is said of some VFs goes over what is said of all.
fn over(all: Wish, some: Wish) -> Wish {
    Wish {
        node_guid: some.node_guid.or(all.node_guid),
        port_guid: some.port_guid.or(all.port_guid),
        mac: some.mac.or(all.mac),
        vlan: some.vlan.or(all.vlan),
        qos: some.qos.or(all.qos),
        proto: some.proto.or(all.proto),
        state: some.state.or(all.state),
        trust: some.trust.or(all.trust),
        spoofchk: some.spoofchk.or(all.spoofchk),
        min_rate: some.min_rate.or(all.min_rate),
        max_rate: some.max_rate.or(all.max_rate),
        query_rss: some.query_rss.or(all.query_rss),
    }
}

fn guids(
    document: &Document,
    entry: &PfEntry,
    basis: &Basis<'_>,
    told: Option<&Told>,
    index: u16,
    wish: &Wish,
) -> Result<[Option<Guid>; 2], Problem> {
    if wish.node_guid.is_some() && wish.port_guid.is_some() {
        return Ok([None; 2]);
    }
    let kept = |guid: Option<Guid>| guid.filter(|guid| guid.is_assignable());
    let kept = match entry.guid {
        Scheme::Keep => [
            kept(told.and_then(|told| told.node_guid)),
            kept(told.and_then(|told| told.port_guid)),
        ],
        Scheme::Unmanaged => return Ok([None; 2]),
        _ => [entry.guid.given(index); 2],
    };
    if let [Some(_), Some(_)] = kept {
        return Ok(kept);
    }
    let what = "port GUID";
    let own = basis.guid.ok_or(Problem::NoIdentity { what })?;
    let is_reserved = |guid: Guid| {
        let mut runs = document.reserved.iter();
        runs.any(|(first, last)| (*first..=*last).contains(&guid))
    };
    let derived = derived_guid::outside(own, index, &document.site, is_reserved);
    let what = "GUID";
    let derived = derived.ok_or(Problem::BeyondScheme { what, index })?;
    Ok(kept.map(|guid| guid.or(Some(derived))))
}

fn mac(
    document: &Document,
    entry: &PfEntry,
    basis: &Basis<'_>,
    told: Option<&Told>,
    index: u16,
) -> Result<Option<Mac>, Problem> {
    let kept = match entry.mac {
        Scheme::Keep => told.and_then(|told| told.mac).filter(|mac| !mac.is_zero()),
        Scheme::Unmanaged => return Ok(None),
        _ => entry.mac.given(index),
    };
    if kept.is_some() {
        return Ok(kept);
    }
    let what = "permanent MAC address";
    let own = basis.mac.ok_or(Problem::NoIdentity { what })?;
    let what = "MAC address";
    let derived = derived_mac::derived(own, index, &document.site);
    derived
        .map(Some)
        .ok_or(Problem::BeyondScheme { what, index })
}

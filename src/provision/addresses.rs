//! `Addressed`: the address of every VF of a document, for whoever has to know it beforehand.

use std::collections::{BTreeMap, HashMap};

use super::desired::{self, Basis};
use super::document::{Count, Document, PfEntry};
use super::observed::{Found, Observed};
use super::problem::{Problem, Trouble};
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::{derived_guid, derived_mac};
use crate::types::{Guid, Mac, PciAddr};

/// A VF, and what it is to go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    /// The address of its PF, where that is there.
    pub pf: Option<PciAddr>,
    /// The port GUID of its PF, where it is known.
    pub pf_guid: Option<Guid>,
    /// The permanent MAC address of its PF, where it is known.
    pub pf_mac: Option<Mac>,
    /// Its index.
    pub index: u16,
    /// Its node GUID.
    pub node_guid: Option<Guid>,
    /// Its port GUID.
    pub port_guid: Option<Guid>,
    /// Its MAC address.
    pub mac: Option<Mac>,
}

/// What addresses follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The port GUID of a PF.
    Guid(Guid),
    /// The permanent MAC address of a PF.
    Mac(Mac),
}

/// The addresses that follow from that of a PF, which need not be there.
///
/// # Errors
/// [`Problem::BeyondScheme`].
pub fn derived(identity: Identity, vfs: u16, site: &str) -> Result<Vec<Addressed>, Problem> {
    let one = |index| {
        let mut row = Addressed {
            pf: None,
            pf_guid: None,
            pf_mac: None,
            index,
            node_guid: None,
            port_guid: None,
            mac: None,
        };
        let beyond = |what| Problem::BeyondScheme { what, index };
        match identity {
            Identity::Guid(own) => {
                let guid = derived_guid::derived(own, index, site);
                let guid = guid.ok_or_else(|| beyond("GUID"))?;
                row.pf_guid = Some(own);
                (row.node_guid, row.port_guid) = (Some(guid), Some(guid));
            }
            Identity::Mac(own) => {
                let mac = derived_mac::derived(own, index, site);
                row.pf_mac = Some(own);
                row.mac = Some(mac.ok_or_else(|| beyond("MAC address"))?);
            }
        }
        Ok(row)
    };
    (0..vfs).map(one).collect()
}

/// The addresses of every VF that a document declares, and the PFs of which they are not known.
/// A PF that is not there will do, where the entry says its GUID or permanent MAC address, and how
/// many VFs.
pub fn table(document: &Document, observed: &Observed) -> (Vec<Addressed>, Vec<Trouble>) {
    let (mut rows, mut troubles) = (Vec::new(), Vec::new());
    for (entry, found) in document.pfs.iter().zip(&observed.pfs) {
        let pf = match found {
            Found::One(state) => Some(state.pf.address),
            Found::Nothing | Found::Several(_) => None,
        };
        match of_pf(document, entry, found) {
            Ok(found) => rows.extend(found),
            Err(Problem::Absent) if entry.optional => {}
            Err(problem) => troubles.push(Trouble {
                place: Some(entry.place.clone()),
                pf,
                problem,
            }),
        }
    }
    if let Some((place, problem)) = double(document, &rows) {
        troubles.push(Trouble {
            place,
            pf: None,
            problem,
        });
    }
    (rows, troubles)
}

fn of_pf(document: &Document, entry: &PfEntry, found: &Found) -> Result<Vec<Addressed>, Problem> {
    let nothing = BTreeMap::new();
    let wanted = &entry.function;
    let (pf, basis, vfs) = match found {
        Found::One(state) => {
            let layer = state.layer.or(entry.layer);
            let basis = Basis {
                layer: layer.ok_or(Problem::UnknownLayer)?,
                guid: state.guid,
                mac: state.mac,
                told: &state.told,
            };
            let vfs = desired::count(entry, state.pf.total_vfs, state.pf.vfs.len());
            (Some(state.pf.address), basis, vfs)
        }
        Found::Several(pfs) => return Err(Problem::Several(pfs.clone())),
        Found::Nothing => {
            let by_mark = match (wanted.guid, wanted.perm_mac) {
                (Some(_), _) => Some(LinkLayer::InfiniBand),
                (_, Some(_)) => Some(LinkLayer::Ethernet),
                _ => None,
            };
            let Some(Count::Number(vfs)) = entry.num_vfs else {
                return Err(Problem::Absent);
            };
            let basis = Basis {
                layer: entry.layer.or(by_mark).ok_or(Problem::Absent)?,
                guid: wanted.guid,
                mac: wanted.perm_mac,
                told: &nothing,
            };
            (None, basis, vfs)
        }
    };
    let desired = desired::vfs(document, entry, &basis, vfs)?;
    Ok(desired
        .into_iter()
        .map(|vf| Addressed {
            pf,
            pf_guid: basis.guid,
            pf_mac: basis.mac,
            index: vf.index,
            node_guid: vf.wish.node_guid,
            port_guid: vf.wish.port_guid,
            mac: vf.wish.mac,
        })
        .collect())
}

/// The first address that two VFs would get.
fn double(
    document: &Document,
    rows: &[Addressed],
) -> Option<(Option<super::document::Place>, Problem)> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        let guids = [row.node_guid, row.port_guid].into_iter().flatten();
        let guids = guids.map(|guid| guid.to_string());
        let all: Vec<String> = guids.chain(row.mac.map(|mac| mac.to_string())).collect();
        for address in all {
            let other = *seen.entry(address.clone()).or_insert(at);
            if other != at {
                let whose = &rows[other];
                let place = document.pfs.first().map(|entry| entry.place.clone());
                let problem = Problem::Double {
                    index: row.index,
                    address,
                    other: whose
                        .pf
                        .map(|pf| pf.to_string())
                        .or_else(|| whose.pf_guid.map(|guid| guid.to_string()))
                        .or_else(|| whose.pf_mac.map(|mac| mac.to_string()))
                        .unwrap_or_else(|| "another PF".to_owned()),
                    other_index: whose.index,
                };
                return Some((place, problem));
            }
        }
    }
    None
}

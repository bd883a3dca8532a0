//! The names of new interfaces: in the order of VFs, where no udev gives them names.

use std::collections::BTreeMap;

use super::StepError;
use super::naming::{ASIDE, Numbered, moves};
use crate::kernel::{Conn, Host};
use crate::netdev::interface;
use crate::types::IfName;
use crate::wire::link::message::Link;

/// Gives the interfaces of functions, each with the names of its own, the numbers that they have together, in this
/// order. One that is switched on, has a name of somebody's choice, or is not the only one is left alone.
pub(super) fn in_order(host: &Host, functions: &[Vec<IfName>]) -> Result<(), StepError> {
    let only = functions.iter().filter_map(|names| match &names[..] {
        [name] => Some(name),
        _ => None,
    });
    let is_aside = |name: &IfName| name.as_str().ends_with(ASIDE);
    let all: Vec<Numbered> = only
        .clone()
        .filter_map(|name| Numbered::of(name.as_str()))
        .collect();
    // What is in order is so without those that are left alone.
    if !only.clone().any(is_aside) && moves(&all).is_empty() {
        return Ok(());
    }
    let mut conn = host.route()?;
    // One listing instead of a question for each: most interfaces of a host with many VFs are theirs.
    let listed = interface::list(&mut conn)?;
    let mut by_name: BTreeMap<String, Link> = listed
        .into_iter()
        .map(|link| (link.name.clone(), link))
        .collect();
    let mut now = Vec::new();
    for name in only {
        let link = by_name.get(name.as_str());
        if link.is_none_or(|link| link.up) {
            continue;
        }
        match name.as_str().strip_suffix(ASIDE) {
            Some(word) => {
                let (free, link) = brought_back(&mut conn, name.as_str(), word)?;
                by_name.remove(name.as_str());
                by_name.insert(link.name.clone(), link);
                now.push(free);
            }
            None => now.extend(Numbered::of(name.as_str())),
        }
    }
    let mut renamed = Vec::new();
    for (from, to) in moves(&now) {
        let link = by_name.remove(&from).ok_or(StepError::NotSo)?;
        let name: IfName = to.parse().map_err(|_| StepError::NotSo)?;
        interface::set_name(&mut conn, &link, &name)?;
        renamed.push((link.index, to.clone()));
        by_name.insert(to.clone(), Link { name: to, ..link });
    }
    if renamed.is_empty() {
        return Ok(());
    }
    // The last name of each counts.
    let wanted: BTreeMap<u32, String> = renamed.into_iter().collect();
    let now = interface::list(&mut conn)?.into_iter();
    let so = now.filter(|link| wanted.get(&link.index) == Some(&link.name));
    match so.count() == wanted.len() {
        true => Ok(()),
        false => Err(StepError::NotSo),
    }
}

/// One that was set aside when its apply was ended gets the lowest number that is free.
fn brought_back(conn: &mut Conn, name: &str, word: &str) -> Result<(Numbered, Link), StepError> {
    let all = interface::list(conn)?;
    let is_free = |name: &str| {
        let has = |alt: &String| alt == name;
        all.iter()
            .all(|link| link.name != name && !link.alt_names.iter().any(has))
    };
    let free = Numbered::free(word, is_free).ok_or(StepError::NotSo)?;
    let (Ok(from), Ok(to)) = (name.parse::<IfName>(), free.name().parse::<IfName>()) else {
        return Err(StepError::NotSo);
    };
    let link = interface::named(conn, &from)?.ok_or(StepError::NotSo)?;
    let link = interface::rename(conn, &link, &to)?;
    Ok((free, link))
}

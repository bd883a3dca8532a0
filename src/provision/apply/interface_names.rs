//! The names of new interfaces: in the order of VFs, where no udev gives them names.

use super::StepError;
use super::naming::{ASIDE, Numbered, moves};
use crate::kernel::{Conn, Host};
use crate::netdev::interface;
use crate::pci::function;
use crate::types::{IfName, PciAddr};

/// Gives the interfaces of these functions the numbers that they have together, in this order. One
/// that is switched on, has a name of somebody's choice, or is not the only one is left alone.
pub(super) fn in_order(host: &Host, functions: &[PciAddr]) -> Result<(), StepError> {
    if functions.is_empty() {
        return Ok(());
    }
    let mut conn = host.route()?;
    let mut now = Vec::new();
    for function in functions {
        let names = function::netdevs(host.sysfs(), *function)?;
        let [name] = &names[..] else { continue };
        let link = interface::named(&mut conn, name)?;
        if link.is_none_or(|link| link.up) {
            continue;
        }
        match name.as_str().strip_suffix(ASIDE) {
            Some(word) => now.push(brought_back(&mut conn, name.as_str(), word)?),
            None => now.extend(Numbered::of(name.as_str())),
        }
    }
    for (from, to) in moves(&now) {
        rename(&mut conn, &from, &to)?;
    }
    Ok(())
}

/// One that was set aside when its apply was ended gets the lowest number that is free.
fn brought_back(conn: &mut Conn, name: &str, word: &str) -> Result<Numbered, StepError> {
    let all = interface::list(conn)?;
    let is_free = |name: &str| {
        let has = |alt: &String| alt == name;
        all.iter()
            .all(|link| link.name != name && !link.alt_names.iter().any(has))
    };
    let free = Numbered::free(word, is_free).ok_or(StepError::NotSo)?;
    rename(conn, name, &free.name())?;
    Ok(free)
}

fn rename(conn: &mut Conn, from: &str, to: &str) -> Result<(), StepError> {
    let (Ok(from), Ok(to)) = (from.parse::<IfName>(), to.parse::<IfName>()) else {
        return Err(StepError::NotSo);
    };
    let link = interface::named(conn, &from)?.ok_or(StepError::NotSo)?;
    interface::rename(conn, &link, &to)?;
    Ok(())
}

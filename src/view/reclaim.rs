//! `dev reclaim`: devices that came home, and those that were left where they are.

use super::namespace::{describe, list_of, process, short};
use super::{Field, Row, users};
use crate::kernel::Namespace;
use crate::rdma::lease::reclaim::Homecoming;
use crate::rdma::lease::stray::{Place, Stray};

/// The row of a device that came home to the namespace `to`.
pub fn home(stray: &Stray, came: &Homecoming, to: &Namespace) -> Row {
    let mut row = beginning(stray, Some(came.index));
    if !matches!(stray.place, Place::Misnamed(_)) {
        row.push(Field::new("to", "TO", to.word()));
    }
    row.push(Field::new("name_before", "NAME BEFORE", stray.name.as_str()).not_in_text());
    row.push(Field::with_text(
        "name_after",
        "NAME AFTER",
        format!("name {} ", came.name),
        came.name.as_str(),
    ));
    if let Some(missed) = &came.missed {
        let text = format!("({missed} belongs to another device) ");
        row.push(Field::with_text(
            "name_taken",
            "NAME TAKEN",
            text,
            missed.as_str(),
        ));
    }
    row.push(Field::new("reclaimed", "", true).not_in_text());
    row
}

/// The row of a device that was left where it is, and why.
pub fn left(stray: &Stray) -> Row {
    let why = use_of(stray);
    let index = match &stray.place {
        Place::Away(_, device) | Place::Misnamed(device) => Some(device.index),
        Place::Lost => None,
    };
    let mut row = beginning(stray, index);
    row.push(Field::new("name_before", "NAME BEFORE", stray.name.as_str()).not_in_text());
    row.push(Field::new("reclaimed", "", false).not_in_text());
    row.push(Field::with_text(
        "left",
        "LEFT",
        format!("left: {why} "),
        why,
    ));
    row
}

fn beginning(stray: &Stray, index: Option<u32>) -> Row {
    let name = Field::with_text("", "", format!("{}: ", stray.name), "");
    let mut row = vec![name.not_in_json()];
    row.extend(index.map(|index| Field::new("rdma_index", "INDEX", index).not_in_text()));
    let id = stray.id.as_ref().map(ToString::to_string);
    row.extend(id.map(|id| Field::new("device", "DEVICE", id)));
    row.extend(match &stray.place {
        Place::Away(namespace, _) => Some(Field::new("from", "FROM", namespace.word())),
        Place::Lost => Some(
            Field::with_text(
                "",
                "",
                "from a network namespace that ended ".to_owned(),
                "",
            )
            .not_in_json(),
        ),
        Place::Misnamed(_) => None,
    });
    row
}

/// What would be done for a device.
pub fn step(stray: &Stray) -> String {
    let Stray { name, .. } = stray;
    let as_name = match &stray.host_name {
        Some(home) if home != name => format!(" as {home}"),
        _ => String::new(),
    };
    match &stray.place {
        Place::Away(namespace, device) => format!(
            "bring RDMA device {name} (index {}) home from network namespace {}{as_name}",
            device.index,
            namespace.word()
        ),
        Place::Lost => format!(
            "wait for the kernel to bring RDMA device {name} home from a network namespace that ends{as_name}"
        ),
        Place::Misnamed(device) => {
            format!(
                "rename RDMA device {name} (index {}){as_name}",
                device.index
            )
        }
    }
}

/// That a device would be left where it is, and why.
pub fn stay(stray: &Stray) -> String {
    format!("RDMA device {} stays: {}", stray.name, use_of(stray))
}

/// Why a device is not taken without being told to: who is where it is.
pub fn use_of(stray: &Stray) -> String {
    let Place::Away(namespace, _) = &stray.place else {
        return String::new();
    };
    // The processes in the namespace say it, and else those that have the device open.
    if namespace.population > 0 {
        return format!("in use in {}", describe(namespace));
    }
    let word = namespace.word();
    if !stray.visitors.is_empty() {
        let visitors = stray.visitors.iter().map(process);
        return format!("in use in {word} by {}", list_of(visitors));
    }
    if let Some(users) = &stray.users {
        return format!("in use in {word}, open by {}", users::describe(users));
    }
    match &stray.owner {
        Some(owner) => format!(
            "lent to container {} ({} of network {}), whose network namespace {} exists",
            short(&owner.container),
            owner.ifname,
            owner.network,
            namespace.word()
        ),
        None => "made of software, it may be at home there".to_owned(),
    }
}

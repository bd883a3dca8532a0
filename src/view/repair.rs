//! `cni repair`: what was put right on a node, and what was left because somebody uses it.

use super::attachment::standing;
use super::namespace::describe;
use super::reclaim::use_of;
use super::{Field, Row};
use crate::attachment::register::Entry;
use crate::attachment::repair::namespace_in_use;
use crate::rdma::lease::reclaim::Homecoming;
use crate::rdma::lease::stray::{Place, Stray};

/// An attachment that was ended.
pub fn ended(entry: &Entry) -> Row {
    let mut row = of_record(entry);
    row.extend(repaired(true));
    row
}

/// An attachment that was left, since its container has processes.
pub fn left_record(entry: &Entry) -> Row {
    let mut row = of_record(entry);
    row.extend(repaired(false));
    row.extend(namespace_in_use(entry).map(|namespace| {
        let why = format!("in use in {}", describe(namespace));
        left(why)
    }));
    row
}

/// A device without record that is home.
pub fn home(stray: &Stray, came: &Homecoming) -> Row {
    let mut row = of_device(stray, &came.name);
    row.extend(repaired(true));
    row.extend(came.missed.as_deref().map(|missed| {
        let text = format!("({missed} belongs to another device) ");
        Field::with_text("name_taken", "NAME TAKEN", text, missed)
    }));
    row
}

/// A device without record that was left, since somebody uses it.
pub fn left_device(stray: &Stray) -> Row {
    let mut row = of_device(stray, &stray.name);
    row.extend(repaired(false));
    row.push(left(use_of(stray)));
    row
}

fn of_record(entry: &Entry) -> Row {
    let device = entry.device.as_ref().map(ToString::to_string);
    let device = device.map(|device| Field::new("device", "DEVICE", device));
    let mut row: Row = device.into_iter().collect();
    let name = entry.host_names.first().map(String::as_str);
    row.extend(name.map(|name| Field::new("rdma", "RDMA", name)));
    let theirs = entry.attachment.as_ref();
    let container = theirs.map(|theirs| theirs.container.as_str());
    row.extend(container.map(|id| Field::new("container", "CONTAINER", id)));
    row.push(Field::new(
        "standing",
        "STANDING",
        standing(&entry.standing),
    ));
    row.push(Field::new("record", "RECORD", entry.path()));
    row
}

fn of_device(stray: &Stray, name: &str) -> Row {
    let device = stray.id.as_ref().map(ToString::to_string);
    let device = device.map(|device| Field::new("device", "DEVICE", device));
    let mut row: Row = device.into_iter().collect();
    row.push(Field::new("rdma", "RDMA", name));
    let (word, netns) = match &stray.place {
        Place::Away(namespace, _) => ("stray", Some(namespace.word())),
        Place::Lost => ("stray", None),
        Place::Misnamed(_) => ("misnamed", None),
    };
    row.push(Field::new("standing", "STANDING", word));
    row.extend(netns.map(|netns| Field::new("netns", "NETNS", netns)));
    row
}

fn repaired(done: bool) -> [Field; 1] {
    let text = if done { "repaired " } else { "" };
    [Field::with_text(
        "repaired",
        "REPAIRED",
        text.to_owned(),
        done,
    )]
}

fn left(why: String) -> Field {
    Field::with_text("left", "LEFT", format!("left: {why} "), why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::register::{Kind, Standing};
    use crate::kernel::Namespace;
    use crate::kernel::netns::NetnsId;
    use crate::view::{json, text};
    use crate::wire::nldev::device::Device;

    #[test]
    fn what_was_done_and_what_was_left() {
        let namespace = Box::new(Namespace {
            id: NetnsId(7),
            paths: vec!["/run/netns/blue".into()],
            processes: Vec::new(),
            population: 2,
            holders: Vec::new(),
            is_current: false,
            is_initial: false,
        });
        let entry = Entry {
            kind: Kind::IbSriov,
            name: "c-net1".to_owned(),
            attachment: None,
            network: None,
            device: "0000:01:10.2".parse().ok(),
            host_names: vec!["mlx5_2".to_owned()],
            netdev: None,
            standing: Standing::HalfDone(Some(namespace.clone())),
        };
        let stray = Stray {
            id: "0000:01:10.4".parse().ok(),
            name: "hca0".to_owned(),
            host_name: None,
            owner: None,
            place: Place::Away(namespace, Device::default()),
            visitors: Vec::new(),
            users: None,
        };
        let rows = [ended(&entry), left_record(&entry), left_device(&stray)];
        let text = text::render(&rows, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "device 0000:01:10.2 rdma mlx5_2 standing half-done record /var/lib/cni/ib-sriov/c-net1 repaired "
        );
        assert!(lines[1].contains("left: in use in blue"), "{text}");
        assert!(
            lines[2].starts_with("device 0000:01:10.4 rdma hca0 standing stray netns blue left: "),
            "{text}"
        );
        let value = json::render(&rows, false);
        assert!(value.contains(r#""repaired":false,"left":"#), "{value}");
    }
}

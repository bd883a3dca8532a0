//! The map as rows for text and programs: every property under its own key.

use nix::sys::stat::{major, minor};

use super::map::{Entry, Map};
use crate::kernel::Namespace;
use crate::sriov::seat::{Kind, Seat};
use crate::sriov::vfio::Guest;
use crate::view::table::visible;
use crate::view::{Field, Row, Text, names, namespace};
use crate::wire::nldev::chardev::{self, CharDev};

/// A row a line. Names that anybody may have chosen keep to their line in text.
pub fn rows(map: &Map<'_>) -> Vec<Row> {
    let rows = map.entries.iter().map(|entry| {
        let mut row = row(entry, map.rdma_cm);
        for field in &mut row {
            let mut text = String::new();
            field.print(&mut text);
            field.text = Text::Exact(visible(&text));
        }
        row
    });
    rows.collect()
}

/// What an entry is, in a word.
pub(super) fn role(entry: &Entry<'_>) -> &'static str {
    match entry.seat.map(|seat| &seat.kind) {
        Some(Kind::Pf) => "pf",
        Some(Kind::Vf { .. }) => "vf",
        Some(Kind::Auxiliary(name)) if name.as_str().contains(".sf.") => "sf",
        Some(Kind::Auxiliary(_)) => "auxiliary",
        Some(Kind::Plain) => "function",
        None => "software",
    }
}

/// The driver: of the function, or of a software device.
pub(super) fn driver<'a>(entry: &Entry<'a>) -> Option<&'a str> {
    match entry.seat {
        Some(seat) => seat.driver.as_deref(),
        None => {
            let uverbs = entry.resident.and_then(|each| each.uverbs.as_ref());
            // `enum rdma_driver_id` (rdma/ib_user_ioctl_verbs.h).
            match uverbs.and_then(|uverbs| uverbs.driver_id) {
                Some(14) => Some("rxe"),
                Some(18) => Some("siw"),
                _ => None,
            }
        }
    }
}

fn row(entry: &Entry<'_>, rdma_cm: Option<&CharDev>) -> Row {
    let role = role(entry);
    let mut row = vec![Field::with_text("role", "", format!("{role} "), role)];
    row.extend(entry.seat.into_iter().flat_map(seat));
    let driver = driver(entry);
    row.extend(driver.map(|driver| Field::new("driver", "", driver)));
    let numa = entry.seat.and_then(|seat| seat.numa_node);
    row.extend(numa.map(|node| Field::new("numa_node", "", node)));
    let name = entry.device_name();
    row.extend(name.map(|name| Field::new("rdma_dev", "", name)));
    let index = entry.resident.map(|resident| resident.device.index);
    row.extend(index.map(|index| Field::new("rdma_index", "", index)));
    let port = entry.port.map(|port| &port.port);
    row.extend(port.map(|port| Field::new("port", "", port.number)));
    if let Some(interface) = entry.interface {
        row.push(Field::new("netdev", "", interface.name.as_str()));
        row.push(Field::new("netdev_index", "", interface.index));
        let state = if interface.is_up { "up" } else { "down" };
        row.push(Field::new("netdev_state", "", state));
    }
    let guid = entry.node_guid();
    row.extend(guid.map(|guid| Field::new("node_guid", "", guid.quads())));
    let guid = entry.port_guid();
    row.extend(guid.map(|guid| Field::new("port_guid", "", guid.quads())));
    row.extend(
        entry
            .mac()
            .map(|mac| Field::new("mac", "", mac.to_string())),
    );
    let state = port.and_then(|port| port.state).map(names::port_state);
    row.extend(state.map(|state| Field::new("state", "", state)));
    let state = port.and_then(|port| port.physical_state);
    let state = state.map(names::physical_state);
    row.extend(state.map(|state| Field::new("physical_state", "", state)));
    if let Some(rate) = entry.port.and_then(|port| port.rate.as_deref()) {
        row.push(Field::new("rate", "", rate));
        row.extend(megabits(rate).map(|number| Field::new("rate_mbps", "", number).not_in_text()));
    }
    row.extend(char_devices(entry, rdma_cm));
    row.extend(holder(entry));
    row
}

fn seat(seat: &Seat) -> Row {
    let mut row = vec![Field::new("pci", "", seat.address.to_string())];
    match &seat.kind {
        Kind::Vf { pf, index } => {
            row.push(Field::new("pf", "", pf.to_string()));
            row.push(Field::new("vf", "", u32::from(*index)));
        }
        Kind::Auxiliary(name) => {
            row.push(Field::new("auxiliary", "", name.as_str()));
        }
        Kind::Pf | Kind::Plain => {}
    }
    row
}

/// `100 Gb/sec (4X EDR)` and `2.5 Gb/sec (1X SDR)` in millions of bits a second.
fn megabits(rate: &str) -> Option<u64> {
    let (number, rest) = rate.split_once(' ')?;
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    let digit = |text: &str| text.len() == 1 && text.bytes().all(|b| b.is_ascii_digit());
    let whole: u64 = whole.parse().ok()?;
    let tenths: u64 = digit(tenths).then(|| tenths.parse().ok()).flatten()?;
    let number = whole.checked_mul(1000)?.checked_add(tenths * 100)?;
    rest.starts_with("Gb/sec").then_some(number)
}

/// The nodes below `/dev`, and their numbers for programs.
fn char_devices(entry: &Entry<'_>, rdma_cm: Option<&CharDev>) -> Row {
    use chardev::Kind;
    let mut row = Row::new();
    let mut add = |kind: Kind, device: &CharDev| {
        let number = match kind {
            Kind::Uverbs => "uverbs_number",
            Kind::Umad => "umad_number",
            Kind::Issm => "issm_number",
            Kind::RdmaCm => "rdma_cm_number",
        };
        let path = format!("/dev/infiniband/{}", device.name);
        row.push(Field::new(kind.word(), "", path));
        let numbers = format!("{}:{}", major(device.number), minor(device.number));
        row.push(Field::new(number, "", numbers).not_in_text());
    };
    let uverbs = entry.resident.and_then(|each| each.uverbs.as_ref());
    if let Some(uverbs) = uverbs {
        add(Kind::Uverbs, uverbs);
    }
    let of_port = entry.port.into_iter().flat_map(|port| &port.char_devices);
    for (kind, device) in of_port {
        add(*kind, device);
    }
    if let (Some(_), Some(rdma_cm)) = (entry.resident, rdma_cm) {
        add(Kind::RdmaCm, rdma_cm);
    }
    // The device cannot be asked, but its uverbs device has been seen.
    if let Some(missing) = entry.missing.filter(|missing| !missing.uverbs.is_empty()) {
        let path = format!("/dev/infiniband/{}", missing.uverbs);
        row.push(Field::new(Kind::Uverbs.word(), "", path));
    }
    row
}

/// The namespace and who is in it; the interface's too, when it is in another one.
fn holder(entry: &Entry<'_>) -> Row {
    let home = entry.home();
    let mut row: Row = home
        .into_iter()
        .flat_map(|home| namespace::fields(home, true))
        .map(|field| Field {
            head: "".into(),
            ..field
        })
        .map(|field| match &*field.key {
            "netns_inode" => field.not_in_text(),
            _ => field,
        })
        .collect();
    row.extend(entry.guests.first().into_iter().flat_map(guest));
    let apart = |other: &&Namespace| home.is_none_or(|home| home.id != other.id);
    let other = entry.interface_home.filter(apart);
    row.extend(other.map(|other| Field::new("netdev_netns", "", other.word())));
    if entry.missing.is_some() {
        row.push(Field::with_text(
            "missing",
            "",
            "in no network namespace that can be seen ".to_owned(),
            true,
        ));
    }
    row
}

/// The first process that has it through VFIO, and by which file.
fn guest(guest: &Guest) -> Row {
    let Guest { file, process } = guest;
    let mut row = vec![
        Field::new("vfio", "", file.as_str()),
        Field::new("holder_pid", "", process.pid),
        Field::new("holder_comm", "", process.comm.as_str()),
    ];
    let Some(owner) = &process.owner else {
        return row;
    };
    let unit = owner.unit.as_ref().map(|unit| unit.name.as_str());
    let container = owner.container.as_ref().map(|each| each.id.as_str());
    let mut add = |key, word: Option<&str>| row.extend(word.map(|word| Field::new(key, "", word)));
    add("holder_unit", unit);
    add("holder_container", container);
    add("holder_pod", owner.pod.as_deref());
    row
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::view::{json, text};

    #[test]
    fn every_property_under_its_key() {
        sample::with("mlx5_3", |map| {
            let rows: serde_json::Value =
                serde_json::from_str(&json::render(rows(map), false)).unwrap();
            assert_eq!(
                rows[1],
                serde_json::json!({
                    "role": "vf", "pci": "0000:01:10.0", "pf": "0000:01:00.0", "vf": 0,
                    "driver": "mlx5_core", "numa_node": 1, "rdma_dev": "mlx5_3", "rdma_index": 3,
                    "port": 1, "netdev": "eth0", "netdev_index": 5, "netdev_state": "up",
                    "node_guid": "0000:0000:0000:0003", "port_guid": "0000:0000:0000:0003",
                    "mac": "02:00:00:00:00:05", "state": "ACTIVE", "physical_state": "LINK_UP",
                    "rate": "100 Gb/sec (4X EDR)", "rate_mbps": 100_000,
                    "uverbs": "/dev/infiniband/uverbs3", "uverbs_number": "231:195",
                    "netns": "blue", "netns_inode": 4026532281u64, "netns_pid": 812,
                    "netns_comm": "sleep",
                })
            );
            // What the PF will give; on InfiniBand it has no MAC for a VF.
            assert_eq!(
                rows[2],
                serde_json::json!({
                    "role": "vf", "pci": "0000:01:10.2", "pf": "0000:01:00.0", "vf": 1,
                    "numa_node": 1, "node_guid": "0000:0000:0000:0077",
                    "port_guid": "0000:0000:0000:0000",
                })
            );
            let id = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";
            assert_eq!(
                rows[3],
                serde_json::json!({
                    "role": "vf", "pci": "0000:01:10.4", "pf": "0000:01:00.0", "vf": 2,
                    "driver": "vfio-pci", "numa_node": 1, "vfio": "/dev/vfio/12",
                    "holder_pid": 900, "holder_comm": "qemu",
                    "holder_unit": format!("cri-containerd-{id}.scope"), "holder_container": id,
                    "holder_pod": "4f5ad9ce-6b63-4d5d-8f0e-5d8a4f5a3b1c",
                })
            );
            assert_eq!(
                (&rows[4]["missing"], &rows[4]["rdma_dev"]),
                (&true.into(), &"mlx5_1".into())
            );
            assert_eq!(
                (&rows[6]["role"], &rows[6]["driver"]),
                (&"software".into(), &"rxe".into())
            );
        });
    }

    #[test]
    fn a_name_keeps_to_its_line() {
        sample::with("a\nb\u{1b}[2J", |map| {
            let rows = rows(map);
            assert_eq!(text::render(&rows, false).lines().count(), rows.len());
            assert!(!text::render(&rows, false).contains('\u{1b}'));
            assert!(json::render(&rows, false).contains("a\\nb\\u001b[2J"));
        });
    }

    #[test]
    fn a_word_selects_lines() {
        sample::with("mlx5_3", |map| {
            let count = |word| map.selected(word).entries.len();
            for (word, expected) in [
                ("0000:01:00.0", 5),
                ("01:00.0", 5),
                ("mlx5_0", 5),
                ("ib0", 5),
                ("ib0/1", 1),
                ("mlx5_0/7", 0),
                ("mlx5_3/0", 0),
                ("0000:01:10.2", 1),
                ("mlx5_core.sf.2", 1),
                ("mlx5_1", 1),
                ("eth0", 1),
                ("rxe0", 1),
                ("enp5s0", 1),
                ("nope", 0),
                ("", 0),
                ("/", 0),
            ] {
                assert_eq!(count(word), expected, "{word}");
            }
            assert_eq!(map.names()[..3], ["enp5s0", "eth0", "ib0"]);
        });
        // A device of the same name in another namespace is not meant.
        sample::with("mlx5_0", |map| {
            assert_eq!(map.selected("mlx5_0").entries.len(), 5);
            assert_eq!(map.selected("mlx5_0/1").entries.len(), 1);
        });
    }

    #[test]
    fn rates() {
        for (rate, number) in [
            ("100 Gb/sec (4X EDR)", Some(100_000)),
            ("2.5 Gb/sec (1X SDR)", Some(2_500)),
            ("14 Gb/sec (1X FDR)", Some(14_000)),
            ("", None),
            ("x Gb/sec", None),
            ("1.25 Gb/sec", None),
            ("100 Mb/sec", None),
            ("99999999999999999999 Gb/sec", None),
            ("99999999999999999 Gb/sec", None),
        ] {
            assert_eq!(megabits(rate), number, "{rate}");
        }
    }
}

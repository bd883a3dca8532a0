//! The map as a table: as many columns as the terminal has room for, the most telling first.

use super::map::{Entry, Map};
use super::rows::{driver, role};
use crate::kernel::Namespace;
use crate::sriov::seat::Kind;
use crate::view::table::visible;
use crate::view::{Field, Row, names, namespace};

/// Blanks between columns.
const GAP: usize = 2;

/// No column asks for more than this before others get their room; it wraps then.
const BROAD: usize = 20;

/// A column: its head, how early it gets room, and its cells.
type Column = (&'static str, u8, fn(&Entry<'_>) -> String);

/// In the order in which they stand.
const COLUMNS: [Column; 14] = [
    ("FUNCTION", 0, function),
    ("VF", 5, vf),
    ("DRIVER", 6, |entry| {
        driver(entry).unwrap_or_default().to_owned()
    }),
    ("RDMA", 1, rdma),
    ("INDEX", 13, |entry| {
        let index = entry.resident.map(|resident| resident.device.index);
        index.map_or_else(String::new, |index| index.to_string())
    }),
    ("NETDEV", 2, netdev),
    ("STATE", 3, state),
    ("RATE", 8, rate),
    ("NODE GUID", 7, |entry| {
        entry
            .node_guid()
            .map_or_else(String::new, |guid| guid.quads())
    }),
    ("PORT GUID", 10, |entry| {
        entry
            .port_guid()
            .map_or_else(String::new, |guid| guid.quads())
    }),
    ("MAC", 9, |entry| {
        entry.mac().map_or_else(String::new, |mac| mac.to_string())
    }),
    ("NUMA", 11, |entry| {
        let node = entry.seat.and_then(|seat| seat.numa_node);
        node.map_or_else(String::new, |node| node.to_string())
    }),
    ("DEVICES", 12, devices),
    ("HOLDER", 4, holder),
];

/// Tables of at most this many characters in a line: the most telling columns and, where `details`
/// are wanted, the others in tables of their own below. Columns that would be empty are left out.
pub fn tables(map: &Map<'_>, width: u16, details: bool) -> Vec<Vec<Row>> {
    let mut columns: Vec<Filled> = COLUMNS
        .iter()
        .map(|(head, rank, cell)| Filled {
            head,
            rank: *rank,
            cells: map
                .entries
                .iter()
                .map(|entry| visible(&cell(entry)))
                .collect(),
        })
        .collect();
    columns.retain(|column| column.cells.iter().any(|cell| !cell.is_empty()));
    let mut tables = Vec::new();
    loop {
        let shown = choose(&columns, width);
        let row = |at: usize| {
            let cell = |column: &Filled| {
                let cell = column.cells[at].as_str();
                Field::with_text("", column.head, String::new(), cell).not_in_json()
            };
            let columns = columns.iter();
            let columns = columns.filter(|column| column.rank == 0 || shown.contains(&column.rank));
            columns.map(cell).collect()
        };
        tables.push((0..map.entries.len()).map(row).collect());
        columns.retain(|column| column.rank == 0 || !shown.contains(&column.rank));
        if !details || columns.len() < 2 {
            return tables;
        }
    }
}

struct Filled {
    head: &'static str,
    rank: u8,
    cells: Vec<String>,
}

impl Filled {
    /// Characters, and the gap behind them.
    fn width(&self) -> usize {
        let widths = self.cells.iter().map(|cell| cell.chars().count());
        let broadest = widths.max().unwrap_or(0).min(BROAD);
        broadest.max(self.head.len()) + GAP
    }
}

/// The columns that get room beside the first, which is in every table: at least one, if there is
/// any.
fn choose(columns: &[Filled], width: u16) -> Vec<u8> {
    let mut ranked: Vec<&Filled> = columns.iter().collect();
    ranked.sort_by_key(|column| column.rank);
    let mut room = usize::from(width) + GAP;
    let mut shown = Vec::new();
    for column in ranked {
        let left = room.checked_sub(column.width());
        if column.rank == 0 {
            room = left.unwrap_or(0);
        } else if left.is_some() || shown.is_empty() {
            room = left.unwrap_or(0);
            shown.push(column.rank);
        }
    }
    shown
}

/// What is on a PF stands below it.
fn function(entry: &Entry<'_>) -> String {
    let Some(seat) = entry.seat else {
        return role(entry).to_owned();
    };
    match &seat.kind {
        Kind::Pf | Kind::Plain => seat.address.to_string(),
        Kind::Vf { .. } => format!("- {}", seat.address),
        Kind::Auxiliary(name) => format!("- {name}"),
    }
}

fn vf(entry: &Entry<'_>) -> String {
    match entry.seat.map(|seat| &seat.kind) {
        Some(Kind::Vf { index, .. }) => index.to_string(),
        _ => String::new(),
    }
}

/// The port is named where there are several.
fn rdma(entry: &Entry<'_>) -> String {
    let name = entry.device_name().unwrap_or_default();
    match (entry.port, entry.resident) {
        (Some(port), Some(resident)) if resident.ports.len() > 1 => {
            format!("{name}/{}", port.port.number)
        }
        _ => name.to_owned(),
    }
}

fn netdev(entry: &Entry<'_>) -> String {
    let name = entry.interface.map(|interface| interface.name.clone());
    name.unwrap_or_default()
}

fn state(entry: &Entry<'_>) -> String {
    let state = entry.port.and_then(|port| port.port.state);
    state.map_or_else(String::new, |state| names::port_state(state).to_owned())
}

/// `100 Gb/sec`; how many lanes make it is for those who ask.
fn rate(entry: &Entry<'_>) -> String {
    let rate = entry.port.and_then(|port| port.rate.as_deref());
    let rate = rate.unwrap_or_default();
    rate.split(" (").next().unwrap_or_default().to_owned()
}

fn devices(entry: &Entry<'_>) -> String {
    let uverbs = entry.resident.and_then(|each| each.uverbs.as_ref());
    let uverbs = uverbs.map(|uverbs| uverbs.name.as_str());
    let missing = entry.missing.map(|missing| missing.uverbs.as_str());
    let ports = entry.port.into_iter().flat_map(|port| &port.char_devices);
    let ports = ports.map(|(_, device)| device.name.as_str());
    let all = uverbs.or(missing).into_iter().chain(ports);
    all.collect::<Vec<_>>().join(" ")
}

/// The processes that have it through VFIO; else another namespace than the caller's, and the
/// first process there.
fn holder(entry: &Entry<'_>) -> String {
    if !entry.guests.is_empty() {
        return guests(entry);
    }
    if entry.missing.is_some() {
        return "cannot be seen".to_owned();
    }
    let is_other = |home: &&Namespace| !home.is_current;
    if let Some(home) = entry.home().filter(is_other) {
        return namespace::holder(home);
    }
    match entry.interface_home.filter(is_other) {
        Some(home) => format!("netdev: {}", namespace::holder(home)),
        None => String::new(),
    }
}

/// Who has the function through VFIO.
pub(super) fn guests(entry: &Entry<'_>) -> String {
    let Some((first, others)) = entry.guests.split_first() else {
        return String::new();
    };
    let others = others.iter().filter(|other| other.process != first.process);
    let first = namespace::brief(&first.process);
    match others.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::view::table;

    fn shown(width: u16, details: bool) -> String {
        let mut text = String::new();
        sample::with("mlx5_3", |map| {
            for table in tables(map, width, details) {
                text.push_str(&table::render(&table, width));
                text.push('\n');
            }
        });
        text
    }

    #[test]
    fn the_most_telling_columns_come_first() {
        assert_eq!(
            shown(80, false),
            "FUNCTION          VF  DRIVER        RDMA    NETDEV  STATE   HOLDER\n\
             0000:01:00.0          mlx5_core     mlx5_0  ib0     ACTIVE\n\
             - 0000:01:10.0    0   mlx5_core     mlx5_3  eth0    ACTIVE  blue, pid 812 sleep\n\
             - 0000:01:10.2    1\n\
             - 0000:01:10.4    2   vfio-pci                              pid 900 qemu of pod\n\
             \x20                                                           4f5ad9ce and 1 more\n\
             - mlx5_core.sf.2      mlx5_core.sf  mlx5_1                  cannot be seen\n\
             0000:05:00.0          igb                   enp5s0\n\
             software              rxe           rxe0    veth0   ACTIVE\n\n"
        );
        let narrow = shown(30, false);
        assert!(
            narrow.starts_with("FUNCTION          VF  RDMA\n"),
            "{narrow}"
        );
        assert!(shown(10, false).contains("RDMA"));
    }

    #[test]
    fn details_are_tables_below() {
        let all = shown(80, true);
        for head in ["DRIVER", "NODE GUID", "PORT GUID", "MAC", "INDEX", "RATE"] {
            assert_eq!(all.matches(head).count(), 1, "{head}: {all}");
        }
        assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
        assert_eq!(shown(250, true).matches("FUNCTION").count(), 1);
    }
}

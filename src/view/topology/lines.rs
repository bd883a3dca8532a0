//! The map as lines: `mlx5_0 port 1 ==> ib0 (Up)`, the form that scripts know from `ibdev2netdev`.

use super::map::{Entry, Map};
use crate::kernel::Namespace;
use crate::view::names;
use crate::view::table::visible;

/// A line for each port that has an interface; the namespace follows where it is another one.
pub fn lines(map: &Map<'_>) -> String {
    let mut text = String::new();
    for entry in &map.entries {
        if let Some(line) = line(entry) {
            text.push_str(&visible(&line));
            text.push('\n');
        }
    }
    text
}

fn line(entry: &Entry<'_>) -> Option<String> {
    let (device, port, interface) = (entry.device_name()?, entry.port?, entry.interface?);
    let up = if interface.is_up { "Up" } else { "Down" };
    let number = port.port.number;
    Some(format!(
        "{device} port {number} ==> {} ({up}){}",
        interface.name,
        elsewhere(entry)
    ))
}

/// The lines with address, model, firmware and state, as its `-v` has them.
pub fn details(map: &Map<'_>) -> String {
    let mut text = String::new();
    for entry in &map.entries {
        if let Some(line) = detail(entry) {
            text.push_str(&visible(&line));
            text.push('\n');
        }
    }
    text
}

fn detail(entry: &Entry<'_>) -> Option<String> {
    let (resident, port, interface) = (entry.resident?, entry.port?, entry.interface?);
    let mut words = Vec::new();
    words.extend(entry.seat.map(|seat| seat.id().to_string()));
    words.push(resident.device.name.clone());
    if let Some((kind, board)) = &resident.model {
        words.push(format!("({kind} - {board})"));
    }
    let firmware = resident.device.firmware.as_deref();
    let firmware = firmware.filter(|text| !text.is_empty());
    words.extend(firmware.map(|firmware| format!("fw {firmware}")));
    let state = port.port.state.map_or("UNKNOWN", names::port_state);
    let up = if interface.is_up { "Up" } else { "Down" };
    words.push(format!(
        "port {} ({state}) ==> {} ({up})",
        port.port.number, interface.name
    ));
    Some(words.join(" ") + &elsewhere(entry))
}

/// Where the interface is, when it is not here.
fn elsewhere(entry: &Entry<'_>) -> String {
    let is_other = |home: &&Namespace| !home.is_current;
    let home = entry.interface_home.filter(is_other);
    home.map_or_else(String::new, |home| format!(" netns {}", home.word()))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_lines_that_scripts_cut() {
        sample::with("mlx5_3", |map| {
            assert_eq!(
                lines(map),
                "mlx5_0 port 1 ==> ib0 (Up)\n\
                 mlx5_3 port 1 ==> eth0 (Up) netns blue\n\
                 rxe0 port 1 ==> veth0 (Up)\n"
            );
            assert_eq!(
                details(map),
                "0000:01:00.0 mlx5_0 (MT4123 - MT_1) fw 20.43 port 1 (ACTIVE) ==> ib0 (Up)\n\
                 0000:01:10.0 mlx5_3 (MT4123 - MT_1) fw 20.43 port 1 (ACTIVE) ==> eth0 (Up) netns blue\n\
                 rxe0 port 1 (ACTIVE) ==> veth0 (Up)\n"
            );
        });
    }
}

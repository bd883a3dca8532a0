//! `system show`: the settings of the subsystem as a row.

use super::{Field, Row, Text};
use crate::wire::nldev::system::System;

/// The row of the settings. Unlike every other line of iproute2 it ends without a blank, and a
/// switch the kernel does not report is off.
pub fn row(system: &System) -> Row {
    let mut row = Row::new();
    if system.netns.is_some() {
        let mode = system.netns_mode().map_or("unknown", |mode| mode.as_str());
        row.push(Field::new("netns", "NETNS", mode));
    }
    if let Some(on) = system.privileged_qkey {
        row.push(Field::new("privileged-qkey", "PRIVILEGED QKEY", on));
    }
    row.push(Field::new(
        "monitor",
        "MONITOR",
        system.monitor.unwrap_or(false),
    ));
    row.push(Field::new(
        "copy-on-fork",
        "COPY ON FORK",
        system.copy_on_fork.unwrap_or(false),
    ));
    if let Some(last) = row.last_mut() {
        last.text = Text::LastPair;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::text;

    // Transcript of `rdma system` on Linux 6.12.
    #[test]
    fn the_line_of_iproute2() {
        let system = System {
            netns: Some(1),
            privileged_qkey: Some(false),
            monitor: Some(true),
            copy_on_fork: Some(true),
        };
        let line = "netns shared privileged-qkey off monitor on copy-on-fork on\n";
        assert_eq!(text::render(&[row(&system)], false), line);
        assert_eq!(
            text::render(&[row(&System::default())], false),
            "monitor off copy-on-fork off\n"
        );
    }
}

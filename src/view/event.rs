//! `monitor`: the kernel's announcements as iproute2 prints them, and changes in our own words.

use std::time::SystemTime;

use super::time::timestamp;
use super::{Field, Row, Text, names};
use crate::rdma::monitor::scene::{Change, Fact, What};
use crate::wire::nldev::event::{Event, EventKind};

/// An announcement, in the tokens of iproute2: a tab behind the kind, blanks between the parts.
pub fn announcement(event: &Event) -> Row {
    let kind = match event.kind {
        EventKind::Register => "[REGISTER]".to_owned(),
        EventKind::Unregister => "[UNREGISTER]".to_owned(),
        EventKind::NetdevAttach => "[NETDEV_ATTACH]".to_owned(),
        EventKind::NetdevDetach => "[NETDEV_DETACH]".to_owned(),
        EventKind::Rename => "[RENAME]".to_owned(),
        EventKind::NetdevRename => "[NETDEV_RENAME]".to_owned(),
        EventKind::Other(number) => format!("[UNKNOWN 0x{number:02x}]"),
    };
    let mut row = vec![Field::with_text(
        "event_type",
        "",
        format!("{kind}\t"),
        kind,
    )];
    let mut parts = Vec::new();
    let mut number = |key, word: &str, value: Option<u32>| {
        parts.extend(value.map(|value| Field::with_text(key, "", format!("{word}{value}"), value)));
    };
    number("rdma_index", "dev ", event.index);
    parts.extend(
        event
            .name
            .as_ref()
            .map(|name| Field::with_text("rdma_dev", "", name.clone(), name.as_str())),
    );
    let mut number = |key, word: &str, value: Option<u32>| {
        parts.extend(value.map(|value| Field::with_text(key, "", format!("{word}{value}"), value)));
    };
    number("port", "port ", event.port);
    number("netdev_idx", "netdev ", event.netdev_index);
    parts.extend(
        event
            .netdev
            .as_ref()
            .map(|name| Field::with_text("netdev_name", "", name.clone(), name.as_str())),
    );
    for (at, mut part) in parts.into_iter().enumerate() {
        if let (1.., Text::Exact(text)) = (at, &mut part.text) {
            text.insert(0, ' ');
        }
        row.push(part);
    }
    row
}

/// A change, with the time it was seen.
pub fn change(change: &Change, at: SystemTime) -> Row {
    let event = match change.what {
        What::Present => "present",
        What::Added => "added",
        What::Removed => "removed",
        What::Renamed => "renamed",
        What::Moved => "moved",
        What::State => "state",
        What::Netdev => "netdev",
        What::Mode => "netns_mode",
        What::Resync => "resync",
    };
    let time = timestamp(at);
    let mut row = vec![
        Field::with_text("time", "", format!("{time} "), time),
        Field::with_text("event", "", event.to_owned(), event),
    ];
    if let Some(index) = change.index {
        row.push(Field::with_text("ifindex", "", String::new(), index));
        row.push(Field::with_text(
            "ifname",
            "",
            format!(" {}", change.name),
            change.name.as_str(),
        ));
    }
    if let Some(port) = change.port {
        row.push(Field::with_text("port", "", format!("/{port}"), port));
    }
    if !change.netns.is_empty() {
        row.push(Field::with_text(
            "netns",
            "",
            format!(" netns {}", change.netns),
            change.netns.as_str(),
        ));
    }
    for (key, fact) in [("from", &change.from), ("to", &change.to)] {
        if let Some(fact) = fact {
            let word = match fact {
                Fact::Name(name) => name.as_str(),
                Fact::State(state) => names::port_state(*state),
            };
            row.push(Field::with_text(key, "", format!(" {key} {word}"), word));
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{json, text};
    use std::time::{Duration, UNIX_EPOCH};

    fn event(kind: u8, port: Option<u32>, netdev: Option<&str>) -> Event {
        Event {
            kind: kind.into(),
            index: Some(1),
            name: Some("rxe1".into()),
            port,
            netdev_index: netdev.map(|_| 3),
            netdev: netdev.map(str::to_owned),
        }
    }

    // Transcript of `rdma monitor` and `rdma -j monitor` of iproute2 7.1 on Linux 6.12.
    #[test]
    fn announcements_are_iproute2s() {
        let register = announcement(&event(0, None, None));
        assert_eq!(text::render(&[register], false), "[REGISTER]\tdev 1 rxe1\n");
        let attach = announcement(&event(2, Some(1), Some("eth8")));
        assert_eq!(
            text::render(std::slice::from_ref(&attach), false),
            "[NETDEV_ATTACH]\tdev 1 rxe1 port 1 netdev 3 eth8\n"
        );
        assert_eq!(
            json::line(&attach),
            "{\"event_type\":\"[NETDEV_ATTACH]\",\"rdma_index\":1,\"rdma_dev\":\"rxe1\",\"port\":1,\
             \"netdev_idx\":3,\"netdev_name\":\"eth8\"}\n"
        );
        let bare = Event {
            index: None,
            name: None,
            ..event(9, None, None)
        };
        assert_eq!(
            text::render(&[announcement(&bare)], false),
            "[UNKNOWN 0x09]\t\n"
        );
    }

    #[test]
    fn changes_in_our_own_words() {
        let at = UNIX_EPOCH + Duration::from_micros(1_795_239_650_000_042);
        let moved = Change {
            what: What::Moved,
            index: Some(3),
            name: "mlx5_3".into(),
            netns: "pod1".into(),
            port: None,
            from: Some(Fact::Name("init".into())),
            to: Some(Fact::Name("pod1".into())),
        };
        assert_eq!(
            text::render(&[change(&moved, at)], false),
            "2026-11-21T05:40:50.000042Z moved mlx5_3 netns pod1 from init to pod1\n"
        );
        let state = Change {
            what: What::State,
            port: Some(1),
            from: None,
            to: Some(Fact::State(4)),
            ..moved
        };
        assert_eq!(
            json::line(&change(&state, at)),
            "{\"time\":\"2026-11-21T05:40:50.000042Z\",\"event\":\"state\",\"ifindex\":3,\"ifname\":\"mlx5_3\",\
             \"port\":1,\"netns\":\"pod1\",\"to\":\"ACTIVE\"}\n"
        );
    }
}

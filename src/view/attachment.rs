//! `cni list` and `cni gc`: attachments on record, and how they stand.

use super::namespace::{describe, process};
use super::{Field, Row};
use crate::attachment::register::{Entry, Standing};

/// The row of one attachment; what its record does not say is absent.
pub fn row(entry: &Entry) -> Row {
    let mut row = vec![Field::with_text(
        "plugin",
        "PLUGIN",
        format!("{}: ", entry.kind.name()),
        entry.kind.name(),
    )];
    let theirs = entry.attachment.as_ref();
    let network = theirs
        .map(|theirs| &theirs.network)
        .or(entry.network.as_ref());
    row.extend(network.map(|network| Field::new("network", "NETWORK", network.as_str())));
    if let Some(theirs) = theirs {
        row.push(Field::new(
            "container",
            "CONTAINER",
            theirs.container.as_str(),
        ));
        row.push(Field::new("ifname", "IFNAME", theirs.ifname.as_str()));
    }
    let device = entry.device.as_ref().map(ToString::to_string);
    row.extend(device.map(|device| Field::new("device", "DEVICE", device)));
    let name = entry.host_names.first().map(String::as_str);
    row.extend(name.map(|name| Field::new("rdma", "RDMA", name)));
    if entry.host_names.len() > 1 {
        let all = entry.host_names.clone();
        row.push(Field::new("rdma_devices", "", all).not_in_text());
    }
    row.push(Field::new(
        "standing",
        "STANDING",
        standing(&entry.standing),
    ));
    if let Standing::Held(namespace) = &entry.standing {
        row.push(Field::new("netns", "NETNS", namespace.word()));
        let holders: Vec<String> = namespace.processes.iter().map(process).collect();
        if !holders.is_empty() {
            let text = format!("held by {} ", describe(namespace));
            row.push(Field::with_text("processes", "", text, holders));
        }
    }
    // Where nothing else says whose it is, the file is what people have to look at.
    row.push(match theirs {
        Some(_) => Field::new("record", "", entry.path()).not_in_text(),
        None => Field::new("record", "RECORD", entry.path()),
    });
    row
}

/// The row of one that was ended.
pub fn ended(entry: &Entry) -> Row {
    let mut row = row(entry);
    row.push(Field::with_text(
        "ended",
        "ENDED",
        "ended ".to_owned(),
        true,
    ));
    row
}

/// What would be done to end it.
pub fn step(entry: &Entry) -> String {
    let what = match (&entry.device, &entry.attachment) {
        (Some(device), Some(theirs)) => {
            format!("bring {device} of container {} home", theirs.container)
        }
        (Some(device), None) => format!("bring {device} home"),
        (None, _) => "bring nothing home".to_owned(),
    };
    format!(
        "{what} and remove {} ({})",
        entry.path(),
        standing(&entry.standing)
    )
}

/// How an attachment stands, in a word.
pub const fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::Held(_) => "held",
        Standing::HalfDone(_) => "half-done",
        Standing::Orphan => "orphan",
        Standing::Away => "away",
        Standing::Unreadable => "unreadable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::register::Kind;
    use crate::rdma::lease::Attachment;
    use crate::view::{json, text};

    #[test]
    fn what_is_known_and_no_more() {
        let whole = Entry {
            kind: Kind::IbSriov,
            name: "c-net1".to_owned(),
            attachment: Some(Attachment {
                network: "ib".to_owned(),
                container: "c".to_owned(),
                ifname: "net1".to_owned(),
            }),
            network: Some("ib".to_owned()),
            device: "0000:01:10.2".parse().ok(),
            host_names: vec!["mlx5_2".to_owned()],
            netdev: None,
            standing: Standing::Orphan,
        };
        let bare = Entry {
            kind: Kind::Rdma,
            name: "junk".to_owned(),
            attachment: None,
            network: None,
            device: None,
            host_names: Vec::new(),
            netdev: None,
            standing: Standing::Unreadable,
        };
        let rows = [row(&whole), row(&bare)];
        assert_eq!(
            text::render(&rows, false),
            "ib-sriov: network ib container c ifname net1 device 0000:01:10.2 rdma mlx5_2 standing orphan \nrdma: standing unreadable record /var/lib/cni/rdma/junk \n"
        );
        let value = json::render(&rows, false);
        assert!(
            value.contains(r#""record":"/var/lib/cni/rdma/junk""#),
            "{value}"
        );
        assert_eq!(
            step(&whole),
            "bring 0000:01:10.2 of container c home and remove /var/lib/cni/ib-sriov/c-net1 (orphan)"
        );
    }
}

//! `vf show`: a VF as a row.

use super::{Field, Row, Text};
use crate::sriov::link_layer::LinkLayer;
use crate::sriov::pf::{Pf, Vf};
use crate::sriov::uplink::Uplink;
use crate::sriov::vf_side::{Identity, VfSide};
use crate::types::{Guid, VlanProto};
use crate::wire::link::vf::Vf as Told;

pub mod words;

/// What people call a PF: its interface or RDMA device if they can be used as a word here, else
/// its address.
pub fn pf_name(pf: &Pf, uplink: Option<&Uplink>, rdma: &[String]) -> String {
    let here = uplink.filter(|uplink| uplink.away.is_none());
    here.map(|uplink| uplink.name.clone())
        .or_else(|| rdma.first().cloned())
        .unwrap_or_else(|| pf.address.to_string())
}

/// A VF with everything known of it.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its PF.
    pub pf: &'a Pf,
    /// What the PF is called.
    pub pf_name: &'a str,
    /// What it speaks.
    pub layer: Option<LinkLayer>,
    /// The VF.
    pub vf: Vf,
    /// What its PF tells.
    pub told: Option<&'a Told>,
    /// What it shows itself.
    pub side: &'a VfSide,
}

/// The rows of VFs. Text has what differs from the usual or from what was given, a table what
/// people look for, both more with the details; JSON has all that is known.
pub fn rows(vfs: &[Known<'_>], details: bool) -> Vec<Row> {
    // One column does for both GUIDs, as they are alike nearly everywhere.
    let is_alike = |known: &Known<'_>| {
        known
            .told
            .is_none_or(|told| told.node_guid == told.port_guid)
    };
    let alike = vfs.iter().all(is_alike);
    vfs.iter()
        .map(|known| row(*known, alike, details))
        .collect()
}

fn row(known: Known<'_>, alike: bool, details: bool) -> Row {
    let Known { pf, vf, side, .. } = known;
    let name = format!("{}/{}", known.pf_name, vf.index);
    let mut row = vec![
        Field::with_text("vf", "VF", format!("vf {name} "), name),
        Field::new("pf", "", known.pf_name).not_in_text(),
        Field::new("pf_pci", "", pf.address.to_string()).not_in_text(),
        Field::new("index", "", u32::from(vf.index)).not_in_text(),
        Field::new("pci", "PCI", vf.address.to_string()),
    ];
    if let Some(layer) = known.layer {
        row.push(Field::new("link_layer", "", layer.to_string()).not_in_text());
    }
    if let Some(driver) = &side.driver {
        row.push(Field::new("driver", "DRIVER", driver.as_str()));
    }
    let rdma = side.rdma.first();
    if let Some(rdma) = rdma {
        row.push(Field::new("rdma", "RDMA", rdma.name.as_str()));
    }
    if let Some(netdev) = side.netdevs.first() {
        row.push(Field::new("netdev", "NETDEV", netdev.name.as_str()));
    }
    if let Some(told) = known.told {
        row.extend(addresses(told, alike));
        row.extend(rules(told, details));
    }
    if let Some(state) = rdma.and_then(|rdma| rdma.port_state.as_deref()) {
        let text = format!("port {state} ");
        let field = Field::with_text("port_state", "PORT", text, state);
        row.push(if details { field } else { bare(field) });
    }
    row.extend(active(known, details));
    if let Some(node) = side.numa_node {
        shown(&mut row, details, Field::new("numa_node", "NUMA", node));
    }
    row
}

fn bare(field: Field) -> Field {
    Field {
        head: "".into(),
        ..field
    }
}

/// Where a field is not shown, JSON has it all the same.
fn shown(row: &mut Row, is_shown: bool, field: Field) {
    row.push(if is_shown {
        field
    } else {
        bare(field.not_in_text())
    });
}

/// The addresses that the PF gave it.
fn addresses(told: &Told, alike: bool) -> Row {
    let mut row = Row::new();
    let heads = if alike {
        ["", "GUID"]
    } else {
        ["NODE GUID", "PORT GUID"]
    };
    let guid =
        |key: &'static str, head: &'static str, guid: Guid| Field::new(key, head, guid.to_string());
    row.extend(told.node_guid.map(|node| guid("node_guid", heads[0], node)));
    row.extend(told.port_guid.map(|port| guid("port_guid", heads[1], port)));
    row.extend(
        told.mac
            .map(|mac| Field::new("mac", "MAC", mac.to_string())),
    );
    row
}

/// What the PF lets it do.
fn rules(told: &Told, details: bool) -> Row {
    let mut row = Row::new();
    if let Some(vlan) = told.vlan {
        let is_tagged = vlan.id > 0 || vlan.qos > 0;
        let id = Field::new("vlan", "VLAN", u32::from(vlan.id));
        shown(&mut row, details || is_tagged, id);
        let qos = Field::new("qos", "QOS", vlan.qos);
        shown(&mut row, details || vlan.qos > 0, qos);
        let proto = Field::new("proto", "PROTO", vlan.proto.as_str());
        shown(&mut row, details || vlan.proto != VlanProto::Q, proto);
    }
    if let Some(state) = told.state {
        row.push(Field::new("state", "STATE", state.as_str()));
    }
    for (key, head, on) in [
        ("trust", "TRUST", told.trust),
        ("spoofchk", "SPOOFCHK", told.spoofchk),
        ("query_rss", "QUERY RSS", told.query_rss),
    ] {
        if let Some(on) = on {
            let field = Field::new(key, if details { head } else { "" }, on);
            shown(&mut row, details || on, field);
        }
    }
    if let Some(rates) = told.rates {
        let min = Field::new("min_rate", "MIN RATE", rates.min);
        shown(&mut row, details || rates.min > 0, min);
        let max = Field::new("max_rate", "MAX RATE", rates.max);
        shown(&mut row, details || rates.max > 0, max);
    }
    if let Some(mac) = told.broadcast {
        let mac = Field::new("broadcast", "", mac.to_string());
        shown(&mut row, details, mac);
    }
    row
}

/// The addresses that it goes by: shown where they are not those that its PF tells.
fn active(known: Known<'_>, details: bool) -> Row {
    let Known { told, side, .. } = known;
    let mut row = Row::new();
    let mut push =
        |key: &'static str, head: &'static str, given: Option<String>, active: String| {
            let field = Field::new(key, if details { head } else { "" }, active.as_str());
            shown(&mut row, details || given.as_ref() != Some(&active), field);
        };
    if let Some(rdma) = side.rdma.first() {
        let given =
            |guid: fn(&Told) -> Option<Guid>| told.and_then(guid).map(|guid| guid.to_string());
        let is_ib = known.layer == Some(LinkLayer::InfiniBand);
        if let Some(guid) = rdma.node_guid.filter(|_| is_ib || details) {
            let given = given(|told| told.node_guid);
            push(
                "active_node_guid",
                "ACTIVE NODE GUID",
                given,
                guid.to_string(),
            );
        }
        if let Some(guid) = rdma.port_guid.filter(|_| is_ib) {
            let given = given(|told| told.port_guid);
            push(
                "active_port_guid",
                "ACTIVE PORT GUID",
                given,
                guid.to_string(),
            );
        }
    }
    if let Some(mac) = side.netdevs.first().and_then(|netdev| netdev.mac) {
        let given = told.and_then(|told| told.mac).map(|mac| mac.to_string());
        push("active_mac", "ACTIVE MAC", given, mac.to_string());
    }
    if side.driver.is_some() {
        let identity = told.map(Identity::from).unwrap_or_default();
        let stale = !side.stale(&identity).is_empty();
        let field = bare(Field::new("needs_rebind", "", stale));
        row.push(if stale {
            Field {
                text: Text::Exact("needs_rebind ".to_owned()),
                ..field
            }
        } else {
            field.not_in_text()
        });
        if stale {
            let column = Field::new("needs_rebind", "REBIND", "needed");
            row.push(column.not_in_text().not_in_json());
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sriov::vf_side::{Netdev, Rdma};
    use crate::types::{LinkPolicy, Mac, Vlan};
    use crate::view::{json, table, text};
    use crate::wire::link::vf::Rates;

    fn guid(value: u64) -> Option<Guid> {
        Some(Guid::new(0x0200_0000_0000_0000 + value))
    }

    fn pf() -> Pf {
        Pf {
            address: "0000:01:00.0".parse().unwrap(),
            total_vfs: 7,
            vfs: vec![Vf {
                index: 0,
                address: "0000:01:10.0".parse().unwrap(),
            }],
        }
    }

    fn shown(layer: LinkLayer, told: Option<&Told>, side: &VfSide, details: bool) -> Row {
        let pf = pf();
        let known = Known {
            pf: &pf,
            pf_name: "pf0",
            layer: Some(layer),
            vf: pf.vfs[0],
            told,
            side,
        };
        rows(&[known], details).remove(0)
    }

    fn ib_side(active: u64) -> VfSide {
        VfSide {
            driver: Some("mlx5_core".to_owned()),
            numa_node: Some(1),
            rdma: vec![Rdma {
                name: "mlx5_1".to_owned(),
                node_guid: guid(active),
                port_guid: guid(active),
                port_state: Some("ACTIVE".to_owned()),
            }],
            netdevs: vec![Netdev {
                name: "ib1".to_owned(),
                mac: None,
            }],
        }
    }

    #[test]
    fn an_infiniband_vf() {
        let told = Told {
            node_guid: guid(1),
            port_guid: guid(1),
            state: Some(LinkPolicy::Auto),
            ..Told::default()
        };
        let row = shown(LinkLayer::InfiniBand, Some(&told), &ib_side(1), false);
        assert_eq!(
            text::render(std::slice::from_ref(&row), false),
            "vf pf0/0 pci 0000:01:10.0 driver mlx5_core rdma mlx5_1 netdev ib1 \
             node_guid 02:00:00:00:00:00:00:01 port_guid 02:00:00:00:00:00:00:01 state auto port ACTIVE \n"
        );
        assert_eq!(
            table::render(std::slice::from_ref(&row), 80),
            "VF     PCI           DRIVER     RDMA    NETDEV  GUID                     STATE\n\
             pf0/0  0000:01:10.0  mlx5_core  mlx5_1  ib1     02:00:00:00:00:00:00:01  auto\n"
        );
        assert_eq!(
            json::render(&[row], false),
            "[{\"vf\":\"pf0/0\",\"pf\":\"pf0\",\"pf_pci\":\"0000:01:00.0\",\"index\":0,\"pci\":\"0000:01:10.0\",\
             \"link_layer\":\"InfiniBand\",\"driver\":\"mlx5_core\",\"rdma\":\"mlx5_1\",\"netdev\":\"ib1\",\
             \"node_guid\":\"02:00:00:00:00:00:00:01\",\"port_guid\":\"02:00:00:00:00:00:00:01\",\"state\":\"auto\",\
             \"port_state\":\"ACTIVE\",\"active_node_guid\":\"02:00:00:00:00:00:00:01\",\
             \"active_port_guid\":\"02:00:00:00:00:00:00:01\",\"needs_rebind\":false,\"numa_node\":1}\n]\n"
        );
        let row = shown(LinkLayer::InfiniBand, Some(&told), &ib_side(2), false);
        let line = text::render(&[row], false);
        assert!(
            line.ends_with(
                "active_node_guid 02:00:00:00:00:00:00:02 active_port_guid 02:00:00:00:00:00:00:02 needs_rebind \n"
            ),
            "{line}"
        );
    }

    #[test]
    fn what_the_pf_does_not_tell_is_seen_on_the_vf() {
        let row = shown(LinkLayer::InfiniBand, None, &ib_side(3), false);
        let line = text::render(&[row], false);
        assert!(
            !line.contains(" node_guid") && line.contains("active_node_guid 02:"),
            "{line}"
        );
        let unbound = shown(LinkLayer::InfiniBand, None, &VfSide::default(), false);
        assert_eq!(
            text::render(&[unbound], false),
            "vf pf0/0 pci 0000:01:10.0 \n"
        );
    }

    #[test]
    fn an_ethernet_vf() {
        let side = VfSide {
            driver: Some("igbvf".to_owned()),
            netdevs: vec![Netdev {
                name: "eth1".to_owned(),
                mac: Some(Mac::new([2, 0, 0, 0, 0, 1])),
            }],
            ..VfSide::default()
        };
        let mut told = Told {
            mac: Some(Mac::new([2, 0, 0, 0, 0, 1])),
            vlan: Some(Vlan::default()),
            rates: Some(Rates::default()),
            spoofchk: Some(true),
            trust: Some(false),
            state: Some(LinkPolicy::Auto),
            ..Told::default()
        };
        let line = |told: &Told, details| {
            let row = shown(LinkLayer::Ethernet, Some(told), &side, details);
            text::render(&[row], false)
        };
        assert_eq!(
            line(&told, false),
            "vf pf0/0 pci 0000:01:10.0 driver igbvf netdev eth1 mac 02:00:00:00:00:01 state auto spoofchk on \n"
        );
        let all = line(&told, true);
        assert!(all.contains("vlan 0 qos 0 proto 802.1Q "), "{all}");
        assert!(
            all.contains("trust off spoofchk on min_rate 0 max_rate 0 "),
            "{all}"
        );
        told.vlan = Some(Vlan {
            id: 100,
            qos: 3,
            proto: VlanProto::Ad,
        });
        told.rates = Some(Rates { min: 0, max: 500 });
        told.mac = Some(Mac::new([2, 0, 0, 0, 0, 2]));
        assert_eq!(
            line(&told, false),
            "vf pf0/0 pci 0000:01:10.0 driver igbvf netdev eth1 mac 02:00:00:00:00:02 vlan 100 qos 3 proto 802.1ad \
             state auto spoofchk on max_rate 500 active_mac 02:00:00:00:00:01 needs_rebind \n"
        );
    }
}

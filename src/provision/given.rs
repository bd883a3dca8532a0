//! What a VF is given, as a key and a word that lead back to it.

use crate::types::{LinkPolicy, Vlan, VlanProto};
use crate::wire::link::vf::{Rates, VfSetting};

/// The key of a setting and its value.
pub fn words(setting: VfSetting) -> (&'static str, String) {
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    match setting {
        VfSetting::NodeGuid(guid) => ("node_guid", guid.to_string()),
        VfSetting::PortGuid(guid) => ("port_guid", guid.to_string()),
        VfSetting::Mac(mac) => ("mac", mac.to_string()),
        VfSetting::Vlan(vlan) => (
            "vlan",
            format!("{} {} {}", vlan.id, vlan.qos, vlan.proto.as_str()),
        ),
        VfSetting::Rates(rates) => ("rates", format!("{} {}", rates.min, rates.max)),
        VfSetting::Spoofchk(on) => ("spoofchk", switch(on)),
        VfSetting::Trust(on) => ("trust", switch(on)),
        VfSetting::QueryRss(on) => ("query_rss", switch(on)),
        VfSetting::State(state) => {
            let word = match state {
                LinkPolicy::Auto => "auto",
                LinkPolicy::Enable => "enable",
                LinkPolicy::Disable => "disable",
            };
            ("state", word.to_owned())
        }
    }
}

/// The setting of a key and a value; `None` for what is none.
pub fn setting(key: &str, value: &str) -> Option<VfSetting> {
    let switch = || match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    };
    let mut parts = value.split(' ');
    let mut part = || parts.next();
    Some(match key {
        "node_guid" => VfSetting::NodeGuid(value.parse().ok()?),
        "port_guid" => VfSetting::PortGuid(value.parse().ok()?),
        "mac" => VfSetting::Mac(value.parse().ok()?),
        "vlan" => VfSetting::Vlan(Vlan {
            id: part()?.parse().ok()?,
            qos: part()?.parse().ok()?,
            proto: part()?.parse::<VlanProto>().ok()?,
        }),
        "rates" => VfSetting::Rates(Rates {
            min: part()?.parse().ok()?,
            max: part()?.parse().ok()?,
        }),
        "spoofchk" => VfSetting::Spoofchk(switch()?),
        "trust" => VfSetting::Trust(switch()?),
        "query_rss" => VfSetting::QueryRss(switch()?),
        "state" => VfSetting::State(match value {
            "auto" => LinkPolicy::Auto,
            "enable" => LinkPolicy::Enable,
            "disable" => LinkPolicy::Disable,
            _ => return None,
        }),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Guid, Mac};

    #[test]
    fn every_setting_comes_back() {
        let vlan = Vlan {
            id: 100,
            qos: 3,
            ..Vlan::default()
        };
        for each in [
            VfSetting::NodeGuid(Guid::new(0)),
            VfSetting::PortGuid(Guid::new(7)),
            VfSetting::Mac(Mac::new([0; 6])),
            VfSetting::Vlan(vlan),
            VfSetting::Rates(Rates { min: 0, max: 9 }),
            VfSetting::Spoofchk(true),
            VfSetting::Trust(false),
            VfSetting::QueryRss(true),
            VfSetting::State(LinkPolicy::Auto),
            VfSetting::State(LinkPolicy::Enable),
            VfSetting::State(LinkPolicy::Disable),
        ] {
            let (key, value) = words(each);
            assert_eq!(setting(key, &value), Some(each), "{key} {value}");
        }
        for (key, value) in [("x", "1"), ("trust", "yes"), ("rates", "1"), ("vlan", "x")] {
            assert_eq!(setting(key, value), None);
        }
    }
}

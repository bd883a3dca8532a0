//! `Wish`: what a VF is to be given, key by key, and the settings that come of it.

use super::link_layer::LinkLayer;
use crate::types::{Guid, LinkPolicy, Mac, Vlan, VlanProto};
use crate::wire::link::vf::{Rates, Vf as Told, VfSetting};

/// What a VF is to be given. What is not named stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// Node GUID; zero takes it back.
    pub node_guid: Option<Guid>,
    /// Port GUID; zero takes it back.
    pub port_guid: Option<Guid>,
    /// Address; zero takes it back.
    pub mac: Option<Mac>,
    /// VLAN id, 0 for none.
    pub vlan: Option<u16>,
    /// VLAN priority.
    pub qos: Option<u8>,
    /// VLAN protocol.
    pub proto: Option<VlanProto>,
    /// What its link follows.
    pub state: Option<LinkPolicy>,
    /// Whether it may change what otherwise only the PF may.
    pub trust: Option<bool>,
    /// Whether foreign source addresses are dropped.
    pub spoofchk: Option<bool>,
    /// Guaranteed Mbit/s.
    pub min_rate: Option<u32>,
    /// Allowed Mbit/s.
    pub max_rate: Option<u32>,
    /// Whether it may read the receive-side scaling.
    pub query_rss: Option<bool>,
}

/// Why a wish makes no sense for a VF, before anything is asked of its PF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// VFs of this link layer have no such thing.
    #[error("{layer} VFs have no {key}")]
    Layer {
        /// The key.
        key: &'static str,
        /// What the PF speaks.
        layer: LinkLayer,
    },
    /// The group bit is set: it is the address of many.
    #[error("{guid} is the GUID of a group: its first byte is odd")]
    Group {
        /// The GUID.
        guid: Guid,
    },
    /// The least is more than the most.
    #[error("min-rate {} is above max-rate {}", .0.min, .0.max)]
    Rates(Rates),
    /// Half of a pair was named, and the PF does not tell the other half.
    #[error("the PF does not tell {other}, which goes with {key}")]
    Half {
        /// The key that was named.
        key: &'static str,
        /// The key that was not.
        other: &'static str,
    },
}

impl Wish {
    /// The keys that were named.
    pub fn keys(&self) -> Vec<&'static str> {
        let named = [
            (self.node_guid.is_some(), "node-guid"),
            (self.port_guid.is_some(), "port-guid"),
            (self.mac.is_some(), "mac"),
            (self.vlan.is_some(), "vlan"),
            (self.qos.is_some(), "qos"),
            (self.proto.is_some(), "proto"),
            (self.state.is_some(), "state"),
            (self.trust.is_some(), "trust"),
            (self.spoofchk.is_some(), "spoofchk"),
            (self.min_rate.is_some(), "min-rate"),
            (self.max_rate.is_some(), "max-rate"),
            (self.query_rss.is_some(), "query-rss"),
        ];
        let named = named.into_iter().filter(|(named, _)| *named);
        named.map(|(_, key)| key).collect()
    }

    /// The GUIDs to be given, without those that are taken back.
    pub fn guids(&self) -> impl Iterator<Item = Guid> {
        let both = [self.node_guid, self.port_guid].into_iter().flatten();
        both.filter(|guid| guid.is_assignable())
    }

    /// Checks what can be checked without the PF; `force` lets the group bit pass.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn check(&self, layer: LinkLayer, force: bool) -> Result<(), Unfit> {
        let fits = |key: &str| match (layer, key) {
            (_, "state") => true,
            (LinkLayer::InfiniBand, key) => key.ends_with("guid"),
            (LinkLayer::Ethernet, key) => !key.ends_with("guid"),
        };
        if let Some(key) = self.keys().into_iter().find(|key| !fits(key)) {
            return Err(Unfit::Layer { key, layer });
        }
        match self.guids().find(|guid| guid.is_group()) {
            Some(guid) if !force => Err(Unfit::Group { guid }),
            _ => Ok(()),
        }
    }

    /// The settings to be made, in the order they are made, given what the PF tells now.
    ///
    /// # Errors
    /// [`Unfit::Rates`], [`Unfit::Half`].
    pub fn settings(&self, told: Option<&Told>) -> Result<Vec<VfSetting>, Unfit> {
        let mut settings = Vec::new();
        settings.extend(self.node_guid.map(VfSetting::NodeGuid));
        settings.extend(self.port_guid.map(VfSetting::PortGuid));
        settings.extend(self.mac.map(VfSetting::Mac));
        settings.extend(self.vlan(told)?.map(VfSetting::Vlan));
        settings.extend(self.trust.map(VfSetting::Trust));
        settings.extend(self.spoofchk.map(VfSetting::Spoofchk));
        settings.extend(self.rates(told)?.map(VfSetting::Rates));
        settings.extend(self.query_rss.map(VfSetting::QueryRss));
        // Last: a link that comes up finds everything else in place.
        settings.extend(self.state.map(VfSetting::State));
        Ok(settings)
    }

    /// The kernel takes the whole tag at once.
    fn vlan(&self, told: Option<&Told>) -> Result<Option<Vlan>, Unfit> {
        let key = match self {
            Self { vlan: Some(_), .. } => "vlan",
            Self { qos: Some(_), .. } => "qos",
            Self { proto: Some(_), .. } => "proto",
            _ => return Ok(None),
        };
        let now = match (self.vlan, told.and_then(|told| told.vlan)) {
            // No tag has no priority.
            (Some(0), _) | (Some(_), None) => Vlan::default(),
            (_, Some(now)) => now,
            (None, None) => return Err(Unfit::Half { key, other: "vlan" }),
        };
        Ok(Some(Vlan {
            id: self.vlan.unwrap_or(now.id),
            qos: self.qos.unwrap_or(now.qos),
            proto: self.proto.unwrap_or(now.proto),
        }))
    }

    /// The kernel takes both limits at once.
    fn rates(&self, told: Option<&Told>) -> Result<Option<Rates>, Unfit> {
        let half = |key, other| Unfit::Half { key, other };
        let now = told.and_then(|told| told.rates);
        let rates = match (self.min_rate, self.max_rate, now) {
            (None, None, _) => return Ok(None),
            (Some(min), Some(max), _) => Rates { min, max },
            (Some(min), None, Some(now)) => Rates { min, max: now.max },
            (None, Some(max), Some(now)) => Rates { min: now.min, max },
            (Some(_), None, None) => return Err(half("min-rate", "max-rate")),
            (None, Some(_), None) => return Err(half("max-rate", "min-rate")),
        };
        // No most is above every least.
        if rates.max > 0 && rates.min > rates.max {
            return Err(Unfit::Rates(rates));
        }
        Ok(Some(rates))
    }
}

/// What the PF tells of the property that a setting is about; `None` when it does not.
pub fn current(told: &Told, setting: VfSetting) -> Option<VfSetting> {
    match setting {
        VfSetting::NodeGuid(_) => told.node_guid.map(VfSetting::NodeGuid),
        VfSetting::PortGuid(_) => told.port_guid.map(VfSetting::PortGuid),
        VfSetting::Mac(_) => told.mac.map(VfSetting::Mac),
        VfSetting::Vlan(_) => told.vlan.map(VfSetting::Vlan),
        VfSetting::Rates(_) => told.rates.map(VfSetting::Rates),
        VfSetting::Spoofchk(_) => told.spoofchk.map(VfSetting::Spoofchk),
        VfSetting::Trust(_) => told.trust.map(VfSetting::Trust),
        VfSetting::QueryRss(_) => told.query_rss.map(VfSetting::QueryRss),
        VfSetting::State(_) => told.state.map(VfSetting::State),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: Told = Told {
        index: 0,
        mac: None,
        broadcast: None,
        vlan: Some(Vlan {
            id: 100,
            qos: 3,
            proto: VlanProto::Q,
        }),
        rates: Some(Rates { min: 10, max: 200 }),
        spoofchk: None,
        state: None,
        query_rss: None,
        trust: None,
        node_guid: None,
        port_guid: None,
    };

    fn tag(wish: Wish, told: Option<&Told>) -> Result<String, String> {
        match wish.settings(told).map_err(|error| error.to_string())?[..] {
            [VfSetting::Vlan(vlan)] => Ok(vlan.to_string()),
            [VfSetting::Rates(rates)] => Ok(format!("{}-{}", rates.min, rates.max)),
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_named_stays() {
        let none = Wish::default();
        let (vlan, qos) = (|id| Some(id), |qos| Some(qos));
        for (wish, told, expected) in [
            (
                Wish {
                    vlan: vlan(7),
                    ..none
                },
                Some(&TOLD),
                Ok("7 qos 3 proto 802.1Q"),
            ),
            (
                Wish {
                    vlan: vlan(0),
                    ..none
                },
                Some(&TOLD),
                Ok("0 qos 0 proto 802.1Q"),
            ),
            (
                Wish {
                    vlan: vlan(7),
                    ..none
                },
                None,
                Ok("7 qos 0 proto 802.1Q"),
            ),
            (
                Wish {
                    qos: qos(5),
                    ..none
                },
                Some(&TOLD),
                Ok("100 qos 5 proto 802.1Q"),
            ),
            (
                Wish {
                    proto: Some(VlanProto::Ad),
                    ..none
                },
                Some(&TOLD),
                Ok("100 qos 3 proto 802.1ad"),
            ),
            (
                Wish {
                    qos: qos(5),
                    ..none
                },
                None,
                Err("the PF does not tell vlan, which goes with qos"),
            ),
            (
                Wish {
                    min_rate: Some(20),
                    ..none
                },
                Some(&TOLD),
                Ok("20-200"),
            ),
            (
                Wish {
                    max_rate: Some(0),
                    ..none
                },
                Some(&TOLD),
                Ok("10-0"),
            ),
            (
                Wish {
                    max_rate: Some(5),
                    ..none
                },
                Some(&TOLD),
                Err("min-rate 10 is above max-rate 5"),
            ),
            (
                Wish {
                    max_rate: Some(5),
                    ..none
                },
                None,
                Err("the PF does not tell min-rate, which goes with max-rate"),
            ),
            (
                Wish {
                    min_rate: Some(1),
                    max_rate: Some(5),
                    ..none
                },
                None,
                Ok("1-5"),
            ),
        ] {
            let told = tag(wish, told);
            let told = told.as_ref().map(String::as_str).map_err(String::as_str);
            assert_eq!(told, expected, "{wish:?}");
        }
    }

    #[test]
    fn each_link_layer_has_its_own_keys() {
        let guid = Guid::new(0x0200_0000_0000_0001);
        let ib = Wish {
            node_guid: Some(guid),
            port_guid: Some(guid),
            state: Some(LinkPolicy::Auto),
            ..Wish::default()
        };
        assert_eq!(ib.check(LinkLayer::InfiniBand, false), Ok(()));
        let error = ib.check(LinkLayer::Ethernet, true).unwrap_err();
        assert_eq!(error.to_string(), "Ethernet VFs have no node-guid");
        let eth = Wish {
            mac: Some(Mac::new([2; 6])),
            trust: Some(true),
            state: Some(LinkPolicy::Auto),
            ..Wish::default()
        };
        assert_eq!(eth.check(LinkLayer::Ethernet, false), Ok(()));
        let error = eth.check(LinkLayer::InfiniBand, true).unwrap_err();
        assert_eq!(error.to_string(), "InfiniBand VFs have no mac");
        assert_eq!(ib.keys(), ["node-guid", "port-guid", "state"]);
        assert!(Wish::default().keys().is_empty());
        let order: Vec<_> = ib.settings(None).unwrap();
        assert!(matches!(
            order[..],
            [
                VfSetting::NodeGuid(_),
                VfSetting::PortGuid(_),
                VfSetting::State(_)
            ]
        ));
    }

    #[test]
    fn a_group_is_no_device() {
        let wish = |guid| Wish {
            port_guid: Some(Guid::new(guid)),
            ..Wish::default()
        };
        let group = wish(0x1122_3344_7766_7790);
        let error = group.check(LinkLayer::InfiniBand, false).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("11:22:33:44:77:66:77:90 is the GUID of a group")
        );
        assert_eq!(group.check(LinkLayer::InfiniBand, true), Ok(()));
        assert_eq!(wish(0).check(LinkLayer::InfiniBand, false), Ok(()));
        assert_eq!(wish(0).guids().count(), 0);
    }
}

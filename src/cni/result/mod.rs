//! `CniResult`: what a plugin tells of the interface it made, and what an IPAM plugin answered.

mod decode;
mod encode;

use std::net::IpAddr;

use crate::types::{IpNet, Mac, PciAddr};

/// The result of ADD.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CniResult {
    /// The interfaces that were made.
    pub interfaces: Vec<Interface>,
    /// The addresses they got.
    pub ips: Vec<Ip>,
    /// The routes through them.
    pub routes: Vec<Route>,
    /// Name servers and the like.
    pub dns: Dns,
}

/// An interface in a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name in the container.
    pub name: String,
    /// Its hardware address as text: six bytes, or twenty on InfiniBand.
    pub mac: Option<String>,
    /// Bytes of its largest packet.
    pub mtu: Option<u32>,
    /// The path of the namespace, as the runtime gave it.
    pub sandbox: String,
    /// The function behind it.
    pub pci_id: Option<PciAddr>,
}

/// An address in a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip {
    /// The address.
    pub address: IpNet,
    /// The gateway of its network.
    pub gateway: Option<IpAddr>,
    /// Which of the interfaces has it, counted from 0.
    pub interface: Option<u32>,
}

/// A route in a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub dst: IpNet,
    /// By way of; absent: the gateway of the first address of its family.
    pub gw: Option<IpAddr>,
    /// Bytes of the largest packet on it.
    pub mtu: Option<u32>,
    /// Largest TCP segment told to peers, in bytes.
    pub advmss: Option<u32>,
    /// Lower goes first.
    pub priority: Option<u32>,
    /// The routing table.
    pub table: Option<u32>,
    /// `RT_SCOPE_*`.
    pub scope: Option<u8>,
}

/// Name resolution in a result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dns {
    /// Addresses of servers.
    pub nameservers: Vec<String>,
    /// The domain of the host.
    pub domain: String,
    /// Domains to search.
    pub search: Vec<String>,
    /// Options of the resolver.
    pub options: Vec<String>,
}

impl CniResult {
    /// This result with what a later plugin of the list tells of its own.
    #[must_use]
    pub fn followed_by(mut self, later: Self) -> Self {
        let before = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        let shifted = later.ips.into_iter().map(|ip| Ip {
            interface: ip.interface.map(|index| index.saturating_add(before)),
            ..ip
        });
        self.ips.extend(shifted);
        self.interfaces.extend(later.interfaces);
        self.routes.extend(later.routes);
        if later.dns != Dns::default() {
            self.dns = later.dns;
        }
        self
    }
}

/// Twenty or six bytes as they are written in a result.
pub fn hardware_address(bytes: &[u8]) -> Option<String> {
    if let Ok(six) = <[u8; 6]>::try_from(bytes) {
        return Some(Mac::new(six).to_string());
    }
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    (!bytes.is_empty()).then(|| bytes.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> CniResult {
        CniResult {
            interfaces: vec![Interface {
                name: "net1".to_owned(),
                mac: hardware_address(&[2, 0, 0, 0, 0, 1]),
                mtu: Some(2044),
                sandbox: "/run/netns/p".to_owned(),
                pci_id: "0000:01:10.2".parse().ok(),
            }],
            ips: vec![Ip {
                address: "10.0.0.2/24".parse().unwrap(),
                gateway: "10.0.0.1".parse().ok(),
                interface: Some(0),
            }],
            routes: vec![Route {
                dst: "0.0.0.0/0".parse().unwrap(),
                gw: None,
                mtu: Some(1400),
                advmss: None,
                priority: Some(5),
                table: None,
                scope: None,
            }],
            dns: Dns::default(),
        }
    }

    #[test]
    fn the_newest_form_has_everything_in_the_order_of_the_alphabet() {
        assert_eq!(
            sample().document("1.1.0").replace(['\n', ' '], ""),
            r#"{"cniVersion":"1.1.0","interfaces":[{"mac":"02:00:00:00:00:01","mtu":2044,"name":"net1","pciID":"0000:01:10.2","sandbox":"/run/netns/p"}],"ips":[{"address":"10.0.0.2/24","gateway":"10.0.0.1","interface":0}],"routes":[{"dst":"0.0.0.0/0","mtu":1400,"priority":5}]}"#
        );
    }

    #[test]
    fn older_forms_have_what_they_know() {
        assert_eq!(
            sample().document("0.3.1").replace(['\n', ' '], ""),
            r#"{"cniVersion":"0.3.1","interfaces":[{"name":"net1","mac":"02:00:00:00:00:01","sandbox":"/run/netns/p"}],"ips":[{"version":"4","interface":0,"address":"10.0.0.2/24","gateway":"10.0.0.1"}],"routes":[{"dst":"0.0.0.0/0"}],"dns":{}}"#
        );
        assert_eq!(
            sample().document("0.2.0").replace(['\n', ' '], ""),
            r#"{"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.2/24","gateway":"10.0.0.1","routes":[{"dst":"0.0.0.0/0"}]},"dns":{}}"#
        );
        let bare = CniResult::default();
        assert_eq!(
            bare.document("0.1.0").replace(['\n', ' '], ""),
            r#"{"cniVersion":"0.1.0","dns":{}}"#
        );
        assert_eq!(
            bare.document("1.0.0").replace(['\n', ' '], ""),
            r#"{"cniVersion":"1.0.0"}"#
        );
    }

    #[test]
    fn two_plugins_of_a_list() {
        let both = sample().followed_by(sample());
        assert_eq!((both.interfaces.len(), both.routes.len()), (2, 2));
        let of: Vec<_> = both.ips.iter().map(|ip| ip.interface).collect();
        assert_eq!(of, [Some(0), Some(1)]);
        assert_eq!(CniResult::default().followed_by(sample()), sample());
        let named = CniResult {
            dns: Dns {
                domain: "d".to_owned(),
                ..Dns::default()
            },
            ..CniResult::default()
        };
        assert_eq!(named.clone().followed_by(sample()).dns, named.dns);
    }

    #[test]
    fn an_answer_of_ipam_in_any_version() {
        for version in ["1.1.0", "1.0.0", "0.4.0", "0.3.1", "0.2.0"] {
            let read = CniResult::decode(&sample().document(version), version).unwrap();
            assert_eq!(read.ips[0].address, sample().ips[0].address, "{version}");
            assert_eq!(read.ips[0].gateway, sample().ips[0].gateway, "{version}");
            assert_eq!(read.routes[0].dst, sample().routes[0].dst, "{version}");
        }
        assert_eq!(
            CniResult::decode(&sample().document("1.1.0"), "0.1.0").unwrap(),
            sample()
        );
        // A literal null is no error, and neither is an answer without version.
        assert_eq!(
            CniResult::decode("null", "1.0.0").unwrap(),
            CniResult::default()
        );
        let bare = r#"{"ips":[{"address":"fd00::2/64"}],"dns":{"nameservers":["10.0.0.1"]}}"#;
        let read = CniResult::decode(bare, "1.0.0").unwrap();
        assert_eq!((read.ips.len(), read.dns.nameservers.len()), (1, 1));
    }

    #[test]
    fn answers_that_are_none() {
        for text in [
            "",
            "[]",
            "{",
            r#"{"ips":{}}"#,
            r#"{"ips":[{"address":"10.0.0.2"}]}"#,
            r#"{"ips":[{"address":"10.0.0.2/24","gateway":"x"}]}"#,
            r#"{"ips":[{"address":"10.0.0.2/24","interface":-1.5}]}"#,
            r#"{"routes":[{"dst":"nowhere"}]}"#,
            r#"{"routes":[{"dst":"::/0","mtu":"1"}]}"#,
            r#"{"dns":[]}"#,
            r#"{"ip4":{"ip":"10.0.0.2"},"cniVersion":"0.2.0"}"#,
            r#"{"cniVersion":"7.0.0"}"#,
        ] {
            assert!(CniResult::decode(text, "1.0.0").is_err(), "{text}");
        }
    }
}

//! A result as text, in each version's own form.

use serde_json::{Map, Value, json};

use super::{CniResult, Dns, Interface, Ip, Route};
use crate::cni::result_text::indented;

impl CniResult {
    /// The document to print. Versions before 1.0 lack some of it; those before 0.3 have the first
    /// address of each family and no interface.
    pub fn document(&self, version: &str) -> String {
        let mut object = Map::new();
        object.insert("cniVersion".to_owned(), version.into());
        match version {
            "0.1.0" | "0.2.0" => self.by_family(&mut object),
            "0.3.0" | "0.3.1" | "0.4.0" => self.listed(&mut object, true),
            _ => self.listed(&mut object, false),
        }
        indented(&Value::Object(object))
    }

    fn listed(&self, object: &mut Map<String, Value>, old: bool) {
        let interfaces = self.interfaces.iter().map(|each| interface(each, old));
        let ips = self.ips.iter().map(|each| ip(each, old));
        let routes = self.routes.iter().map(|each| route(each, old));
        let dns = dns(&self.dns);
        // The newer form is in the order of the alphabet and has no empty members.
        if !old && !dns.is_empty() {
            object.insert("dns".to_owned(), dns.clone().into());
        }
        for (key, list) in [
            ("interfaces", interfaces.collect::<Vec<_>>()),
            ("ips", ips.collect()),
            ("routes", routes.collect()),
        ] {
            if !list.is_empty() {
                object.insert(key.to_owned(), list.into());
            }
        }
        if old {
            object.insert("dns".to_owned(), dns.into());
        }
    }

    fn by_family(&self, object: &mut Map<String, Value>) {
        for (key, v4) in [("ip4", true), ("ip6", false)] {
            let mut of_family = self
                .ips
                .iter()
                .filter(|ip| ip.address.address().is_ipv4() == v4);
            let Some(first) = of_family.next() else {
                continue;
            };
            let mut member = Map::new();
            member.insert("ip".to_owned(), first.address.to_string().into());
            if let Some(gateway) = first.gateway {
                member.insert("gateway".to_owned(), gateway.to_string().into());
            }
            let routes = self
                .routes
                .iter()
                .filter(|route| route.dst.address().is_ipv4() == v4);
            let routes: Vec<Value> = routes.map(|each| route(each, true)).collect();
            if !routes.is_empty() {
                member.insert("routes".to_owned(), routes.into());
            }
            object.insert(key.to_owned(), member.into());
        }
        object.insert("dns".to_owned(), dns(&self.dns).into());
    }
}

fn interface(interface: &Interface, old: bool) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        object.extend(value.map(|value| (key.to_owned(), value)));
    };
    let name = Some(interface.name.as_str().into());
    let mac = interface.mac.as_deref().map(Value::from);
    let sandbox = interface.sandbox.as_str();
    let sandbox = (!sandbox.is_empty()).then(|| sandbox.into());
    if old {
        put("name", name);
        put("mac", mac);
    } else {
        put("mac", mac);
        put("mtu", interface.mtu.map(Value::from));
        put("name", name);
        put("pciID", interface.pci_id.map(|id| id.to_string().into()));
    }
    put("sandbox", sandbox);
    object.into()
}

fn ip(ip: &Ip, old: bool) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        object.extend(value.map(|value| (key.to_owned(), value)));
    };
    let address = Some(ip.address.to_string().into());
    let gateway = ip.gateway.map(|gateway| gateway.to_string().into());
    let interface = ip.interface.map(Value::from);
    if old {
        let family = if ip.address.address().is_ipv4() {
            "4"
        } else {
            "6"
        };
        put("version", Some(family.into()));
        put("interface", interface);
        put("address", address);
        put("gateway", gateway);
    } else {
        put("address", address);
        put("gateway", gateway);
        put("interface", interface);
    }
    object.into()
}

fn route(route: &Route, old: bool) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        object.extend(value.map(|value| (key.to_owned(), value)));
    };
    let gw = route.gw.map(|gw| gw.to_string().into());
    if old {
        put("dst", Some(route.dst.to_string().into()));
        put("gw", gw);
        return object.into();
    }
    put("advmss", route.advmss.map(Value::from));
    put("dst", Some(route.dst.to_string().into()));
    put("gw", gw);
    put("mtu", route.mtu.map(Value::from));
    put("priority", route.priority.map(Value::from));
    put("scope", route.scope.map(Value::from));
    put("table", route.table.map(Value::from));
    object.into()
}

fn dns(dns: &Dns) -> Map<String, Value> {
    let mut object = Map::new();
    for (key, list) in [
        ("nameservers", &dns.nameservers),
        ("search", &dns.search),
        ("options", &dns.options),
    ] {
        if key == "search" && !dns.domain.is_empty() {
            object.insert("domain".to_owned(), dns.domain.as_str().into());
        }
        if !list.is_empty() {
            object.insert(key.to_owned(), json!(list));
        }
    }
    object
}

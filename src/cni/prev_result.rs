//! `PrevResult`: the result of the plugin before this one, checked, and passed on as it came.

use std::net::IpAddr;

use serde_json::value::{RawValue, to_raw_value};

use super::config::Config;
use super::object::{Object, ObjectError};
use super::result_text::indented;
use super::{Code, Failure};

/// Versions whose results have one shape.
const FAMILIES: [&[&str]; 3] = [
    &["", "0.1.0", "0.2.0"],
    &["0.3.0", "0.3.1", "0.4.0"],
    &["1.0.0", "1.1.0"],
];

/// The part of an interface that plugins look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its hardware address, unchecked.
    pub mac: String,
    /// The path of its namespace, empty on the host.
    pub sandbox: String,
}

/// A previous result that the configuration's version allows.
#[derive(Debug, Clone)]
pub struct PrevResult<'a> {
    object: Object<'a>,
    version: Box<RawValue>,
    /// The interfaces in it.
    pub interfaces: Vec<Interface>,
}

impl<'a> PrevResult<'a> {
    /// Reads `prevResult`; `None` when there is none.
    ///
    /// Unknown members are welcome. What Go's decoder would refuse is refused here, before
    /// anything was changed.
    ///
    /// # Errors
    /// Code 7.
    pub fn of(config: &Config<'a>) -> Result<Option<Self>, Failure> {
        let Some(raw) = config.object.get("prevResult").map_err(parse_error)? else {
            return Ok(None);
        };
        let object = Object::parse(raw.get()).map_err(parse_error)?;
        require_family(
            &config.version,
            &object.text("cniVersion").map_err(parse_error)?,
        )?;
        let interfaces = interfaces(&object).map_err(parse_error)?;
        check_addresses(&object)?;
        let version = to_raw_value(&config.version).map_err(|error| {
            Failure::new(
                Code::INTERNAL,
                format!("cannot encode the version: {error}"),
            )
        })?;
        Ok(Some(Self {
            object,
            version,
            interfaces,
        }))
    }

    /// The result to print: what came, in the version of the configuration.
    pub fn document(&self) -> String {
        indented(&self.object.clone().with("cniVersion", &self.version))
    }
}

fn parse_error(error: ObjectError) -> Failure {
    failure(&error.to_string())
}

fn failure(cause: &str) -> Failure {
    Failure::new(
        Code::INVALID_CONFIG,
        format!("could not parse prevResult: {cause}"),
    )
    .details(
        "prevResult is what the plugin before this one in the list printed, or the runtime cached",
    )
}

fn require_family(config: &str, result: &str) -> Result<(), Failure> {
    let family = FAMILIES.iter().find(|family| family.contains(&config));
    match family {
        Some(family) if result.is_empty() || family.contains(&result) => Ok(()),
        Some(family) => Err(failure(&format!(
            "result type supports [{}] but unmarshalled CNIVersion is {result:?}",
            family.join(" ")
        ))),
        None => Err(failure(&format!(
            "no converter for CNI result version {config}"
        ))),
    }
}

fn interfaces(object: &Object<'_>) -> Result<Vec<Interface>, ObjectError> {
    let mut found = Vec::new();
    for raw in object.list("interfaces")? {
        let interface = Object::parse(raw.get())?;
        found.push(Interface {
            name: interface.text("name")?,
            mac: interface.text("mac")?,
            sandbox: interface.text("sandbox")?,
        });
    }
    Ok(found)
}

/// Addresses and routes must be such: the runtime would refuse the result afterwards.
fn check_addresses(object: &Object<'_>) -> Result<(), Failure> {
    for (list, key, gateway) in [("ips", "address", "gateway"), ("routes", "dst", "gw")] {
        for raw in object.list(list).map_err(parse_error)? {
            check_address(
                &Object::parse(raw.get()).map_err(parse_error)?,
                key,
                gateway,
            )?;
        }
    }
    for member in ["ip4", "ip6"] {
        let member = object.object(member).map_err(parse_error)?;
        check_address(&member, "ip", "gateway")?;
    }
    Ok(())
}

fn check_address(object: &Object<'_>, key: &str, gateway: &str) -> Result<(), Failure> {
    let subnet = object.text(key).map_err(parse_error)?;
    if !subnet.is_empty() && !is_subnet(&subnet) {
        return Err(failure(&format!("invalid CIDR address: {subnet}")));
    }
    let gateway = object.text(gateway).map_err(parse_error)?;
    if !gateway.is_empty() && gateway.parse::<IpAddr>().is_err() {
        return Err(failure(&format!("invalid IP address: {gateway}")));
    }
    Ok(())
}

fn is_subnet(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.bytes().all(|b| b.is_ascii_digit()) && length.parse().is_ok_and(|n: u8| n <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(version: &str, prev: &str) -> Result<Option<String>, String> {
        let text = format!(r#"{{"name":"n","cniVersion":"{version}","prevResult":{prev}}}"#);
        let config = Config::parse(&text).unwrap();
        PrevResult::of(&config)
            .map(|prev| prev.map(|prev| prev.document()))
            .map_err(|f| f.msg)
    }

    #[test]
    fn passed_on_as_it_came() {
        let prev = r#"{"cniVersion":"1.1.0","extra":{"b":1,"a":1.50},"interfaces":[{"name":"eth0","custom":1e2}]}"#;
        let out = pass("1.0.0", prev).unwrap().unwrap();
        assert!(out.contains(r#""extra": {"b":1,"a":1.50}"#), "{out}");
        assert!(out.contains(r#"[{"name":"eth0","custom":1e2}]"#), "{out}");
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(value["cniVersion"], "1.0.0");
        assert_eq!(
            pass("1.0.0", "{}").unwrap().unwrap(),
            "{\n    \"cniVersion\": \"1.0.0\"\n}"
        );
        assert_eq!(pass("1.0.0", "null").unwrap(), None);
    }

    #[test]
    fn old_versions_need_no_addresses() {
        for version in ["0.1.0", "0.2.0"] {
            assert!(pass(version, r#"{"dns":{}}"#).is_ok());
            let old = r#"{"ip4":{"ip":"10.0.0.2/24","gateway":"10.0.0.1","routes":[{"dst":"0.0.0.0/0"}]}}"#;
            assert!(pass(version, old).is_ok());
        }
    }

    #[test]
    fn another_family_is_refused() {
        assert_eq!(
            pass("1.0.0", r#"{"cniVersion":"0.4.0"}"#).unwrap_err(),
            "could not parse prevResult: result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is \"0.4.0\""
        );
        assert_eq!(
            pass("0.3.1", r#"{"cniVersion":"1.0.0"}"#).unwrap_err(),
            "could not parse prevResult: result type supports [0.3.0 0.3.1 0.4.0] but unmarshalled CNIVersion is \"1.0.0\""
        );
        assert!(pass("0.3.1", r#"{"CNIVERSION":"0.4.0"}"#).is_ok());
    }

    #[test]
    fn what_a_runtime_could_not_read_is_refused() {
        for prev in [
            "[]",
            "\"x\"",
            r#"{"interfaces":{}}"#,
            r#"{"interfaces":[1]}"#,
            r#"{"interfaces":[{"mac":1}]}"#,
            r#"{"ips":[{"address":"10.0.0.1"}]}"#,
            r#"{"ips":[{"address":"10.0.0.1/33"}]}"#,
            r#"{"ips":[{"address":"10.0.0.1/24","gateway":"x"}]}"#,
            r#"{"routes":[{"dst":"nowhere"}]}"#,
            r#"{"interfaces":[],"Interfaces":[{}]}"#,
        ] {
            let error = pass("1.0.0", prev).unwrap_err();
            assert!(error.starts_with("could not parse prevResult: "), "{prev}");
        }
    }
}

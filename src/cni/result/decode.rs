//! Reading a result, in whatever version it is written.

use std::net::IpAddr;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::{CniResult, Dns, Ip, Route};
use crate::cni::object::{Object, ObjectError};
use crate::cni::version;
use crate::types::IpNet;

/// Why an answer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// It is no JSON object, or a member has the wrong type.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A version that nobody here speaks.
    #[error("unknown CNI version {0:?} in the result")]
    Version(String),
    /// A member does not mean what it should.
    #[error("\"{key}\" of the result is {text:?}")]
    Member {
        /// The member.
        key: &'static str,
        /// What it says.
        text: String,
    },
}

impl CniResult {
    /// Reads an answer; one without `cniVersion` is in `default`'s form.
    ///
    /// # Errors
    /// [`ResultError`].
    pub fn decode(text: &str, default: &str) -> Result<Self, ResultError> {
        let object = Object::parse(text)?;
        let version = match object.text("cniVersion")? {
            none if none.is_empty() => default.to_owned(),
            version => version,
        };
        if !version::SUPPORTED.contains(&version.as_str()) {
            return Err(ResultError::Version(version));
        }
        let mut result = Self {
            dns: dns(&object.object("dns")?)?,
            interfaces: interfaces(&object)?,
            ..Self::default()
        };
        if matches!(version.as_str(), "0.1.0" | "0.2.0") {
            for key in ["ip4", "ip6"] {
                result.take_family(&object.object(key)?)?;
            }
        } else {
            for raw in object.list("ips")? {
                result
                    .ips
                    .extend(ip(&Object::parse(raw.get())?, "address")?);
            }
            result.take_routes(&object)?;
        }
        Ok(result)
    }

    fn take_family(&mut self, member: &Object<'_>) -> Result<(), ResultError> {
        self.ips.extend(ip(member, "ip")?);
        self.take_routes(member)
    }

    fn take_routes(&mut self, object: &Object<'_>) -> Result<(), ResultError> {
        for raw in object.list("routes")? {
            let object = Object::parse(raw.get())?;
            self.routes.push(Route {
                dst: required(&object, "dst")?,
                gw: optional(&object, "gw")?,
                mtu: number(&object, "mtu")?,
                advmss: number(&object, "advmss")?,
                priority: number(&object, "priority")?,
                table: number(&object, "table")?,
                scope: number(&object, "scope")?,
            });
        }
        Ok(())
    }
}

fn ip(object: &Object<'_>, key: &'static str) -> Result<Option<Ip>, ResultError> {
    let Some(address) = optional::<IpNet>(object, key)? else {
        return Ok(None);
    };
    Ok(Some(Ip {
        address,
        gateway: optional::<IpAddr>(object, "gateway")?,
        interface: number(object, "interface")?,
    }))
}

fn interfaces(object: &Object<'_>) -> Result<Vec<super::Interface>, ResultError> {
    let mut found = Vec::new();
    for raw in object.list("interfaces")? {
        let object = Object::parse(raw.get())?;
        let mac = object.text("mac")?;
        found.push(super::Interface {
            name: object.text("name")?,
            mac: (!mac.is_empty()).then_some(mac),
            mtu: number(&object, "mtu")?,
            sandbox: object.text("sandbox")?,
            pci_id: optional(&object, "pciID")?,
        });
    }
    Ok(found)
}

fn dns(object: &Object<'_>) -> Result<Dns, ResultError> {
    let words = |key: &'static str| -> Result<Vec<String>, ResultError> {
        let list = object.list(key)?;
        list.into_iter().map(|raw| typed(key, raw.get())).collect()
    };
    Ok(Dns {
        nameservers: words("nameservers")?,
        domain: object.text("domain")?,
        search: words("search")?,
        options: words("options")?,
    })
}

fn required<T: FromStr>(object: &Object<'_>, key: &'static str) -> Result<T, ResultError> {
    optional(object, key)?.ok_or_else(|| ResultError::Member {
        key,
        text: String::new(),
    })
}

fn optional<T: FromStr>(object: &Object<'_>, key: &'static str) -> Result<Option<T>, ResultError> {
    let text = object.text(key)?;
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse() {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(ResultError::Member { key, text }),
    }
}

fn number<T: DeserializeOwned>(
    object: &Object<'_>,
    key: &'static str,
) -> Result<Option<T>, ResultError> {
    let raw = object.get(key)?;
    raw.map(|raw| typed(key, raw.get())).transpose()
}

fn typed<T: DeserializeOwned>(key: &'static str, text: &str) -> Result<T, ResultError> {
    serde_json::from_str(text).map_err(|_| ResultError::Member {
        key,
        text: text.to_owned(),
    })
}

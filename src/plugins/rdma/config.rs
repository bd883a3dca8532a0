//! `Settings`: what the plugin reads from its configuration and from CNI_ARGS.

use crate::cni::args::Args;
use crate::cni::config::load_error;
use crate::cni::object::ObjectError;
use crate::cni::{Call, Code, Config, Failure};
use crate::plugins::char_devices::{self, Policy};
use crate::plugins::device_name;
use crate::types::{Invalid, RdmaNaming};

/// What ADD does in shared mode, in which no device can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharedMode {
    /// It fails.
    #[default]
    Refused,
    /// It moves nothing: every container sees every device.
    Skipped,
}

/// The settings of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The device as the configuration names it; empty when it does not.
    pub device: String,
    /// How the device is to be called in the container.
    pub naming: RdmaNaming,
    /// What to do when a move changed the numbers of character devices.
    pub char_devices: Policy,
    /// What to do in shared mode.
    pub shared_mode: SharedMode,
    /// Whether to report more.
    pub debug: bool,
}

impl Settings {
    /// Reads CNI_ARGS and the configuration.
    ///
    /// # Errors
    /// Code 4 for CNI_ARGS, 7 for the configuration.
    pub fn read(call: &Call, config: &Config<'_>) -> Result<Self, Failure> {
        let args = Args::parse(&call.args)?;
        let device = device(config).map_err(|error| load_error(&error))?;
        Ok(Self {
            device,
            naming: device_name::read(config)?,
            char_devices: char_devices::policy(config)?,
            shared_mode: shared_mode(config)?,
            debug: args.debug || debug(config),
        })
    }

    /// As [`Self::read`], where what cannot be read is as if it were not there; with what was
    /// wrong. DEL must not stumble over what ADD would have refused.
    pub fn read_what_can_be(call: &Call, config: &Config<'_>) -> (Self, Option<Failure>) {
        match Self::read(call, config) {
            Ok(settings) => (settings, None),
            Err(failure) => {
                let settings = Self {
                    device: device(config).unwrap_or_default(),
                    naming: RdmaNaming::default(),
                    char_devices: Policy::default(),
                    shared_mode: shared_mode(config).unwrap_or_default(),
                    debug: debug(config),
                };
                (settings, Some(failure))
            }
        }
    }
}

/// `runtimeConfig.deviceID`, the capability, goes before `deviceID`.
fn device(config: &Config<'_>) -> Result<String, ObjectError> {
    let capability = config.object.object("runtimeConfig")?.text("deviceID")?;
    let plain = config.object.text("deviceID")?;
    Ok(if capability.is_empty() {
        plain
    } else {
        capability
    })
}

/// `rdmaMode`.
///
/// # Errors
/// Code 7.
pub fn shared_mode(config: &Config<'_>) -> Result<SharedMode, Failure> {
    let word = config.object.text("rdmaMode");
    match word.map_err(|error| load_error(&error))?.as_str() {
        "" | "required" => Ok(SharedMode::Refused),
        "skip" => Ok(SharedMode::Skipped),
        other => Err(Failure::new(
            Code::INVALID_CONFIG,
            format!(
                "failed to load netconf: rdmaMode: {:?}",
                Invalid::new(other, "", "").word
            ),
        )
        .details(
            "write required, or skip to move nothing while the RDMA subsystem is in shared mode",
        )),
    }
}

/// `args.cni.debug`; pods fill `args.cni` with anything, so that a wrong type is no error.
fn debug(config: &Config<'_>) -> bool {
    let value = || {
        let args = config.object.object("args").ok()?;
        args.object("cni").ok()?.get("debug").ok()?
    };
    value().is_some_and(|value| matches!(value.get(), "true" | "\"true\"" | "1" | "\"1\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cni::Verb;

    fn read(args: &str, text: &str) -> Result<Settings, (u32, String)> {
        let call = Call {
            verb: Verb::Add,
            container: "c".to_owned(),
            netns: "/n".to_owned(),
            ifname: "i".to_owned(),
            args: args.to_owned(),
            path: "/p".to_owned(),
            netns_override: false,
        };
        let text = format!("{{\"name\":\"n\",{text}}}");
        let config = Config::parse(&text).unwrap();
        Settings::read(&call, &config).map_err(|f| (f.code.0, f.msg))
    }

    #[test]
    fn the_capability_goes_first() {
        let device = |text| read("", text).map(|settings| settings.device);
        assert_eq!(device(r#""deviceid":"a""#), Ok("a".to_owned()));
        assert_eq!(
            device(r#""deviceID":"a","pciBusID":"c","runtimeConfig":{"deviceID":"b"}"#),
            Ok("b".to_owned())
        );
        assert_eq!(
            device(r#""deviceID":"a","runtimeConfig":{"deviceID":""}"#),
            Ok("a".to_owned())
        );
        assert_eq!(device(r#""deviceID":null"#), Ok(String::new()));
        assert_eq!(
            device(r#""deviceID":5"#).unwrap_err(),
            (
                7,
                "failed to load netconf: \"deviceID\" must be a string".to_owned()
            )
        );
        assert!(device(r#""deviceID":"a","DEVICEID":"b""#).is_err());
    }

    #[test]
    fn the_name_that_the_pod_wants_goes_first() {
        let naming = |text: &str| {
            let read = read("", text);
            read.map(|settings| settings.naming)
        };
        let fixed = |name: &str| Ok(RdmaNaming::Fixed(name.parse().unwrap()));
        assert_eq!(naming(r#""x":1"#), Ok(RdmaNaming::Keep));
        assert_eq!(naming(r#""rdmaDeviceName":"a""#), fixed("a"));
        for args in [
            r#"{"cni":{"rdmaDeviceName":""}}"#,
            r#"{"cni":{"guid":"x"}}"#,
            r#"{"cni":7}"#,
            "[]",
        ] {
            let text = format!(r#""rdmaDeviceName":"a","args":{args}"#);
            assert_eq!(naming(&text), fixed("a"), "{args}");
        }
        let both = r#""rdmaDeviceName":"a","args":{"cni":{"rdmaDeviceName":"b"}}"#;
        assert_eq!(naming(both), fixed("b"));
        for text in [
            r#""rdmaDeviceName":"a/b""#,
            r#""rdmaDeviceName":"%s""#,
            r#""rdmaDeviceName":5"#,
            r#""args":{"cni":{"rdmaDeviceName":5}}"#,
            r#""args":{"cni":{"rdmaDeviceName":"a b"}}"#,
            r#""rdmaMode":"auto""#,
            r#""rdmaMode":true"#,
        ] {
            assert_eq!(naming(text).unwrap_err().0, 7, "{text}");
        }
    }

    #[test]
    fn debug_from_either_place_and_of_any_type() {
        let debug = |args, text: &str| read(args, text).map(|settings| settings.debug).unwrap();
        assert!(debug("Debug=1", r#""x":1"#));
        assert!(debug("", r#""args":{"cni":{"debug":true}}"#));
        assert!(debug("", r#""args":{"cni":{"debug":"true"}}"#));
        for text in [
            r#""args":{"cni":{"debug":[1]}}"#,
            r#""args":{"cni":"x"}"#,
            r#""args":7"#,
            r#""args":{"cni":{"guid":"02:00:00:00:00:00:00:aa"}}"#,
        ] {
            assert!(!debug("", text), "{text}");
        }
    }
}

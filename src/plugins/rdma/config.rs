//! `Settings`: what the plugin reads from its configuration and from CNI_ARGS.

use crate::cni::args::Args;
use crate::cni::config::load_error;
use crate::cni::object::ObjectError;
use crate::cni::{Call, Config, Failure};

/// The settings of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The device as the configuration names it; empty when it does not.
    pub device: String,
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

//! `Config`: the network configuration on stdin, as far as every plugin reads it.

use std::io::Read;

use super::call::is_plain;
use super::object::{Object, ObjectError};
use super::version;
use super::{Code, Failure};

/// No configuration with its `prevResult` comes near this; more is a mistake or an attack.
pub const LIMIT: u64 = 4 * 1024 * 1024;

/// A configuration whose name is sound.
#[derive(Debug, Clone)]
pub struct Config<'a> {
    /// Safe in a file name.
    pub name: String,
    /// `cniVersion` as given, [`version::DEFAULT`] when absent; not yet compared.
    pub version: String,
    /// Everything.
    pub object: Object<'a>,
    /// The same as it came, for the plugins that this one calls.
    pub text: &'a str,
}

/// All of stdin, as text.
///
/// # Errors
/// Code 5 when it cannot be read, 6 when it is too much or no UTF-8.
pub fn read(stdin: &mut dyn Read) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    stdin
        .take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(Code::IO, format!("error reading from stdin: {error}")))?;
    if bytes.len() as u64 > LIMIT {
        return Err(unmarshal(&format!("more than {LIMIT} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        unmarshal(&format!("invalid UTF-8 at byte {at}"))
    })
}

impl<'a> Config<'a> {
    /// Reads the configuration and checks its name.
    ///
    /// # Errors
    /// Code 6 when it is no JSON object, 7 when its name is missing or unsound.
    pub fn parse(text: &'a str) -> Result<Self, Failure> {
        let member = |error: ObjectError| unmarshal(&error.to_string());
        let object = Object::parse(text).map_err(member)?;
        let name = object.text("name").map_err(member)?;
        if name.is_empty() {
            return Err(Failure::new(Code::INVALID_CONFIG, "missing network name"));
        }
        if !is_plain(&name) {
            let msg = "invalid characters found in network name";
            return Err(Failure::new(Code::INVALID_CONFIG, msg).details(name));
        }
        let given = object.text("cniVersion").map_err(|error| {
            let msg = format!("decoding version from network config: {error}");
            Failure::new(Code::DECODING, msg)
        })?;
        let version = if given.is_empty() {
            version::DEFAULT.to_owned()
        } else {
            given
        };
        Ok(Self {
            name,
            version,
            object,
            text,
        })
    }
}

fn unmarshal(cause: &str) -> Failure {
    Failure::new(
        Code::DECODING,
        format!("error unmarshall network config: {cause}"),
    )
}

/// A member of the configuration that a plugin cannot use.
pub fn load_error(error: &ObjectError) -> Failure {
    Failure::new(
        Code::INVALID_CONFIG,
        format!("failed to load netconf: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(String, String), (u32, String)> {
        Config::parse(text)
            .map(|config| (config.name, config.version))
            .map_err(|f| (f.code.0, f.msg))
    }

    #[test]
    fn name_and_version() {
        let ok = |name: &str, version: &str| Ok((name.to_owned(), version.to_owned()));
        assert_eq!(
            parse(r#"{"name":"n","cniVersion":"1.0.0"}"#),
            ok("n", "1.0.0")
        );
        assert_eq!(parse(r#"{"NAME":"n"}"#), ok("n", "0.1.0"));
        assert_eq!(parse(r#"{"name":"n","cniVersion":""}"#), ok("n", "0.1.0"));
        for text in ["null", "{}", r#"{"name":""}"#, r#"{"name":null}"#] {
            let missing = (7, "missing network name".to_owned());
            assert_eq!(parse(text), Err(missing), "{text}");
        }
        for name in ["a/b", "../../../tmp/x", "-a", "a b"] {
            let bad = (7, "invalid characters found in network name".to_owned());
            assert_eq!(parse(&format!("{{\"name\":\"{name}\"}}")), Err(bad));
        }
    }

    #[test]
    fn what_is_no_configuration() {
        let eof = "error unmarshall network config: unexpected end of JSON input";
        assert_eq!(parse(""), Err((6, eof.to_owned())));
        assert_eq!(parse("{"), Err((6, eof.to_owned())));
        for text in [
            "[]",
            "1",
            "{} x",
            r#"{"name":1}"#,
            r#"{"name":"a","name":"b"}"#,
        ] {
            assert_eq!(parse(text).unwrap_err().0, 6, "{text}");
        }
        assert_eq!(read(&mut &b"{\"a\":\"\xff\"}"[..]).unwrap_err().code.0, 6);
        let endless = &mut std::io::repeat(b' ');
        assert_eq!(read(endless).unwrap_err().code.0, 6);
    }
}

//! `Args`: CNI_ARGS, pairs of a key and a value.

use super::{Code, Failure};

/// What a plugin takes from CNI_ARGS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Args {
    /// `Debug`.
    pub debug: bool,
    /// `guid`, unchecked; only `ib-sriov` has a use for it.
    pub guid: Option<String>,
}

impl Args {
    /// Reads `KEY=VALUE;KEY=VALUE`. A key that is not known is an error unless `IgnoreUnknown` is
    /// set, wherever in the line.
    ///
    /// # Errors
    /// Code 4.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut args = Self::default();
        let (mut ignore, mut unknown) = (false, Vec::new());
        for pair in text.split(';').filter(|_| !text.is_empty()) {
            let parts: Vec<&str> = pair.split('=').collect();
            let &[key, value] = parts.as_slice() else {
                return Err(invalid(format!("ARGS: invalid pair {pair:?}")));
            };
            match key {
                "IgnoreUnknown" => ignore = flag(key, value)?,
                "Debug" => args.debug = flag(key, value)?,
                "guid" | "GUID" => args.guid = Some(value.to_owned()),
                _ => unknown.push(format!("{pair:?}")),
            }
        }
        if !unknown.is_empty() && !ignore {
            let unknown = unknown.join(" ");
            return Err(invalid(format!("ARGS: unknown args [{unknown}]"))
                .details("put IgnoreUnknown=1 in front of the pairs of CNI_ARGS"));
        }
        Ok(args)
    }
}

fn flag(key: &str, value: &str) -> Result<bool, Failure> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(invalid(format!(
            "ARGS: error parsing value of pair {:?}: boolean unmarshal error: invalid input {value}",
            format!("{key}={value}")
        ))),
    }
}

fn invalid(msg: String) -> Failure {
    Failure::new(Code::INVALID_ENVIRONMENT, msg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        let debug = |text| Args::parse(text).map(|args| args.debug).map_err(|f| f.msg);
        assert_eq!(debug(""), Ok(false));
        assert_eq!(debug("Debug=1"), Ok(true));
        assert_eq!(debug("IgnoreUnknown=1;Debug=true"), Ok(true));
        assert_eq!(
            debug("IgnoreUnknown=1;K8S_POD_NAMESPACE=a;K8S_POD_NAME=b"),
            Ok(false)
        );
        assert_eq!(debug("K=V;IgnoreUnknown=TRUE"), Ok(false));
        assert_eq!(debug("foo"), Err("ARGS: invalid pair \"foo\"".to_owned()));
        assert_eq!(debug("A=1;"), Err("ARGS: invalid pair \"\"".to_owned()));
        assert_eq!(
            debug("A=b=c"),
            Err("ARGS: invalid pair \"A=b=c\"".to_owned())
        );
        assert_eq!(
            debug("K=V;L=W"),
            Err("ARGS: unknown args [\"K=V\" \"L=W\"]".to_owned())
        );
        assert!(debug("Debug=maybe").is_err());
    }
}

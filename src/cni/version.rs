//! The versions of the CNI specification: which are spoken, which verb needs which.

use super::{Code, Failure};

/// Every version this program speaks, oldest first.
pub const SUPPORTED: [&str; 7] = [
    "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
];

/// The newest of them.
pub const CURRENT: &str = "1.1.0";

/// What a configuration without `cniVersion` means.
pub const DEFAULT: &str = "0.1.0";

/// The answer to VERSION, with its newline.
pub const DOCUMENT: &str = concat!(
    r#"{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}"#,
    "\n"
);

/// A version must be in the list to the letter.
///
/// # Errors
/// Code 1.
pub fn require_supported(config: &str) -> Result<(), Failure> {
    if SUPPORTED.contains(&config) {
        return Ok(());
    }
    let list = SUPPORTED.map(|version| format!("\"{version}\"")).join(" ");
    Err(
        Failure::new(Code::INCOMPATIBLE_VERSION, "incompatible CNI versions")
            .details(format!("config is {config:?}, plugin supports [{list}]")),
    )
}

/// A verb that came with a later version is refused below it, and above the newest we speak.
///
/// # Errors
/// Code 1, or 6 when the version is no version.
pub fn require_at_least(config: &str, least: &str, verb: &str) -> Result<(), Failure> {
    let incompatible = |who: &str| {
        Failure::new(
            Code::INCOMPATIBLE_VERSION,
            format!("{who} version does not allow {verb}"),
        )
    };
    let decoding = |message| Failure::new(Code::DECODING, message);
    let wanted = parse(config).map_err(decoding)?;
    if wanted < parse(least).map_err(decoding)? {
        return Err(incompatible("config"));
    }
    if parse(CURRENT).map_err(decoding)? < wanted {
        return Err(incompatible("plugin"));
    }
    Ok(())
}

/// Reads up to three numbers; an absent one is zero, and no version at all is [`DEFAULT`].
fn parse(text: &str) -> Result<[i64; 3], String> {
    if text.is_empty() {
        return Ok([0, 1, 0]);
    }
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() > 3 {
        return Err(format!("invalid version {text:?}: too many parts"));
    }
    let mut numbers = [0; 3];
    for ((part, number), what) in parts
        .iter()
        .zip(&mut numbers)
        .zip(["major", "minor", "micro"])
    {
        *number = part
            .parse()
            .map_err(|_| format!("failed to convert {what} version part {part:?}"))?;
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_document_lists_what_is_supported() {
        let value: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        assert_eq!(value["cniVersion"], CURRENT);
        assert_eq!(value["supportedVersions"], serde_json::json!(SUPPORTED));
    }

    #[test]
    fn only_exact_versions_pass() {
        for version in SUPPORTED {
            assert!(require_supported(version).is_ok());
        }
        let failure = require_supported("0.5.0").unwrap_err();
        assert_eq!(failure.code, Code::INCOMPATIBLE_VERSION);
        assert_eq!(failure.msg, "incompatible CNI versions");
        assert_eq!(
            failure.details,
            r#"config is "0.5.0", plugin supports ["0.1.0" "0.2.0" "0.3.0" "0.3.1" "0.4.0" "1.0.0" "1.1.0"]"#
        );
        for version in ["1.2.0", "9.9.9", "1.0", " 1.0.0"] {
            assert!(require_supported(version).is_err(), "{version}");
        }
    }

    #[test]
    fn gates() {
        let gate =
            |config, least| require_at_least(config, least, "X").map_err(|f| (f.code.0, f.msg));
        assert_eq!(gate("0.4.0", "0.4.0"), Ok(()));
        assert_eq!(gate("1.0", "0.4.0"), Ok(()));
        let config = (1, "config version does not allow X".to_owned());
        assert_eq!(gate("0.3.1", "0.4.0"), Err(config.clone()));
        assert_eq!(gate("", "0.4.0"), Err(config));
        let plugin = (1, "plugin version does not allow X".to_owned());
        assert_eq!(gate("9.9.9", "0.4.0"), Err(plugin));
        let parts = (6, "invalid version \"1.0.0.0\": too many parts".to_owned());
        assert_eq!(gate("1.0.0.0", "0.4.0"), Err(parts));
        let part = (6, "failed to convert major version part \"x\"".to_owned());
        assert_eq!(gate("x.1", "0.4.0"), Err(part));
    }
}

//! `Settings`: what the configuration says about the log. Nothing in it ever ends a call.

use std::str::FromStr;

use super::level::Level;
use crate::cni::Config;
use crate::types::Invalid;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

impl FromStr for Format {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        match word.to_ascii_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Invalid::new(word, "logFormat", "text or json")),
        }
    }
}

/// The keys `logLevel`, `logFormat` and `logFile`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// How much.
    pub level: Level,
    /// How.
    pub format: Format,
    /// Where to, beside stderr; unchecked.
    pub file: Option<String>,
}

impl Settings {
    /// Reads the keys; with what is wrong with them, for which the default stands.
    pub fn read(config: &Config<'_>) -> (Self, Vec<String>) {
        let mut wrong = Vec::new();
        let mut text = |key: &str| {
            let value = config.object.text(key);
            let value = value.unwrap_or_else(|error| {
                wrong.push(error.to_string());
                String::new()
            });
            Some(value).filter(|value| !value.is_empty())
        };
        let (level, format, file) = (text("logLevel"), text("logFormat"), text("logFile"));
        let settings = Self {
            level: or_default(level, &mut wrong),
            format: or_default(format, &mut wrong),
            file,
        };
        (settings, wrong)
    }
}

fn or_default<T: FromStr<Err = Invalid> + Default>(
    word: Option<String>,
    wrong: &mut Vec<String>,
) -> T {
    match word.map(|word| word.parse::<T>()).transpose() {
        Ok(value) => value.unwrap_or_default(),
        Err(error) => {
            wrong.push(error.to_string());
            T::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(members: &str) -> (Settings, Vec<String>) {
        let text = format!("{{\"name\":\"n\"{members}}}");
        Settings::read(&Config::parse(&text).unwrap())
    }

    #[test]
    fn the_keys() {
        assert_eq!(read(""), (Settings::default(), vec![]));
        let (settings, wrong) =
            read(r#","logLevel":"Warning","logFormat":"json","logFile":"/var/log/x""#);
        assert_eq!(wrong, Vec::<String>::new());
        assert_eq!(settings.level, Level::Warning);
        assert_eq!(settings.format, Format::Json);
        assert_eq!(settings.file.as_deref(), Some("/var/log/x"));
        for level in ["debug", "info", "warning", "error", "panic"] {
            let (settings, wrong) = read(&format!(",\"logLevel\":\"{level}\""));
            assert_eq!((settings.level.as_str(), wrong.len()), (level, 0));
        }
    }

    #[test]
    fn what_is_wrong_is_told_and_the_default_stands() {
        let (settings, wrong) = read(r#","logLevel":"loud","logFormat":5,"logFile":["x"]"#);
        assert_eq!(settings, Settings::default());
        assert_eq!(wrong.len(), 3);
        assert!(wrong.iter().any(|text| text.contains("\"loud\"")));
    }
}

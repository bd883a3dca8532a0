//! `Call`: what the environment asks for, checked in the order and words of Go's skeleton.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::{Code, Failure};

/// The environment as `main` collected it.
pub type Env = BTreeMap<OsString, OsString>;

/// CNI_COMMAND.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Attach a container.
    Add,
    /// Undo ADD, again and again if need be.
    Del,
    /// Look whether what ADD made still stands.
    Check,
    /// Free what belongs to no attachment any more.
    Gc,
    /// Say whether ADD can be served.
    Status,
    /// Say which versions are spoken.
    Version,
    /// Anything else; refused after the configuration has been read.
    Unknown(String),
}

/// One call of a runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What to do.
    pub verb: Verb,
    /// Safe in a file name; empty where the verb does not need one.
    pub container: String,
    /// Path of the namespace; empty when there is none, otherwise unchecked.
    pub netns: String,
    /// Name of the interface in the container; empty where the verb does not need one.
    pub ifname: String,
    /// CNI_ARGS as given.
    pub args: String,
    /// CNI_PATH as given.
    pub path: String,
    /// CNI_NETNS may be the plugin's own namespace.
    pub netns_override: bool,
}

impl Call {
    /// Reads the environment. A wrong value ends it at once, missing ones are listed together.
    ///
    /// # Errors
    /// Code 4.
    pub fn read(env: &Env) -> Result<Self, Failure> {
        let value = |name: &str| {
            env.get(OsStr::new(name))
                .map(|value| value.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let word = value("CNI_COMMAND");
        let verb = match word.as_str() {
            "ADD" => Verb::Add,
            "DEL" => Verb::Del,
            "CHECK" => Verb::Check,
            "GC" => Verb::Gc,
            "STATUS" => Verb::Status,
            "VERSION" => Verb::Version,
            _ => Verb::Unknown(word.clone()),
        };
        let attaching = matches!(verb, Verb::Add | Verb::Del | Verb::Check);
        let mut call = Self {
            netns: value("CNI_NETNS"),
            args: value("CNI_ARGS"),
            path: value("CNI_PATH"),
            netns_override: matches!(value("CNI_NETNS_OVERRIDE").as_str(), "1")
                || value("CNI_NETNS_OVERRIDE").eq_ignore_ascii_case("true"),
            container: String::new(),
            ifname: String::new(),
            verb,
        };
        let mut missing = Vec::new();
        if word.is_empty() {
            missing.push("CNI_COMMAND");
        }
        if attaching {
            call.container = value("CNI_CONTAINERID");
            call.ifname = value("CNI_IFNAME");
            match call.container.as_str() {
                "" => missing.push("CNI_CONTAINERID"),
                id => container_rule(id)?,
            }
            if call.netns.is_empty() && call.verb != Verb::Del {
                missing.push("CNI_NETNS");
            }
            match call.ifname.as_str() {
                "" => missing.push("CNI_IFNAME"),
                name => ifname_rule(name)?,
            }
        }
        let by_path = attaching || matches!(call.verb, Verb::Gc | Verb::Status);
        if by_path && call.path.is_empty() {
            missing.push("CNI_PATH");
        }
        if missing.is_empty() {
            return Ok(call);
        }
        Err(Failure::new(
            Code::INVALID_ENVIRONMENT,
            format!("required env variables [{}] missing", missing.join(",")),
        ))
    }
}

/// `^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$`: the rule for container ids and network names.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn container_rule(id: &str) -> Result<(), Failure> {
    if is_plain(id) {
        return Ok(());
    }
    Err(Failure::new(
        Code::INVALID_ENVIRONMENT,
        "invalid characters in containerID",
    )
    .details(id))
}

fn ifname_rule(name: &str) -> Result<(), Failure> {
    let bad = |msg| Failure::new(Code::INVALID_ENVIRONMENT, msg);
    if name.len() > 15 {
        return Err(bad("interface name is too long")
            .details("interface name should be less than 16 characters"));
    }
    if name == "." || name == ".." {
        return Err(bad("interface name is . or .."));
    }
    // Go lets control characters pass; they would end on an operator's terminal.
    if name
        .chars()
        .any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
    {
        return Err(bad(
            "interface name contains / or : or whitespace characters",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Call, (u32, String, String)> {
        let env = vars
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect();
        Call::read(&env).map_err(|f| (f.code.0, f.msg, f.details))
    }

    fn msg(vars: &[(&str, &str)]) -> String {
        let (code, msg, _) = read(vars).unwrap_err();
        assert_eq!(code, 4);
        msg
    }

    const GOOD: [(&str, &str); 5] = [
        ("CNI_COMMAND", "ADD"),
        ("CNI_CONTAINERID", "c1"),
        ("CNI_NETNS", "/run/netns/x"),
        ("CNI_IFNAME", "eth0"),
        ("CNI_PATH", "/opt"),
    ];

    #[test]
    fn each_verb_needs_its_own_variables() {
        assert_eq!(msg(&[]), "required env variables [CNI_COMMAND] missing");
        let all = "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing";
        assert_eq!(msg(&[("CNI_COMMAND", "ADD")]), all);
        assert_eq!(msg(&[("CNI_COMMAND", "CHECK")]), all);
        assert_eq!(
            msg(&[("CNI_COMMAND", "DEL")]),
            "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing"
        );
        assert_eq!(
            msg(&[("CNI_COMMAND", "STATUS")]),
            "required env variables [CNI_PATH] missing"
        );
        assert!(read(&[("CNI_COMMAND", "VERSION")]).is_ok());
        assert_eq!(
            read(&[("CNI_COMMAND", "add")]).unwrap().verb,
            Verb::Unknown("add".to_owned())
        );
    }

    #[test]
    fn a_wrong_value_ends_it_before_missing_ones_are_listed() {
        for id in ["a/b", "../x", "-x", "a b", ".x", "é", "a\n"] {
            let failure = read(&[("CNI_COMMAND", "ADD"), ("CNI_CONTAINERID", id)]).unwrap_err();
            let text = "invalid characters in containerID".to_owned();
            assert_eq!(failure, (4, text, id.to_owned()));
        }
        let ifname = |name| {
            let mut vars = GOOD.to_vec();
            vars[3].1 = name;
            read(&vars).map(|_| ()).map_err(|(_, msg, _)| msg)
        };
        assert_eq!(
            ifname("sixteen-bytes-xx").unwrap_err(),
            "interface name is too long"
        );
        assert_eq!(ifname("..").unwrap_err(), "interface name is . or ..");
        for name in ["a/b", "a:b", "a b", "a\u{a0}b"] {
            assert_eq!(
                ifname(name).unwrap_err(),
                "interface name contains / or : or whitespace characters"
            );
        }
        for name in ["-", "*", "fifteen-bytes-x", "ü0"] {
            assert!(ifname(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_override_is_one_or_true() {
        for (value, set) in [("1", true), ("TrUe", true), ("yes", false), ("", false)] {
            let mut vars = GOOD.to_vec();
            vars.push(("CNI_NETNS_OVERRIDE", value));
            assert_eq!(read(&vars).unwrap().netns_override, set, "{value}");
        }
    }
}

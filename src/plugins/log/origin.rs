//! `Origin`: whose call a line belongs to, so that lines of many can be told apart.

use std::ffi::OsStr;

use crate::cni::call::Env;
use crate::cni::{Call, Config, Verb};

/// Longest name of a Kubernetes object.
const MAX_NAME: usize = 253;

/// Where the lines of a call come from; in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin(Vec<(&'static str, String)>);

impl Origin {
    /// What is known before the configuration has been read: the trace that the runtime follows.
    pub fn of_env(env: &Env) -> Self {
        let parent = env.get(OsStr::new("TRACEPARENT"));
        let trace = parent.and_then(|parent| trace_id(parent.to_str()?));
        Self(trace.map(|id| ("trace_id", id)).into_iter().collect())
    }

    /// What the call and its configuration add.
    pub fn know(&mut self, call: &Call, config: &Config<'_>) {
        let verb = match &call.verb {
            Verb::Add => "ADD",
            Verb::Del => "DEL",
            Verb::Check => "CHECK",
            Verb::Gc => "GC",
            Verb::Status => "STATUS",
            Verb::Version | Verb::Unknown(_) => "",
        };
        let pod = |key| pod_part(&call.args, key).unwrap_or_default();
        let known = [
            ("verb", verb),
            ("network", &config.name),
            ("container", &call.container),
            ("ifname", &call.ifname),
            ("pod_namespace", pod("K8S_POD_NAMESPACE")),
            ("pod_name", pod("K8S_POD_NAME")),
        ];
        let known = known.into_iter().filter(|(_, value)| !value.is_empty());
        let known = known.map(|(key, value)| (key, value.to_owned()));
        let trace = self.0.drain(..).filter(|(key, _)| *key == "trace_id");
        self.0 = known.chain(trace.collect::<Vec<_>>()).collect();
    }

    /// The parts, by key.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(key, value)| (*key, value.as_str()))
    }
}

/// The trace of a W3C `traceparent`: `VERSION-TRACE-PARENT-FLAGS` in lower-case hex.
fn trace_id(parent: &str) -> Option<String> {
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut parts = parent.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let sound = is_hex(version, 2) && version != "ff" && is_hex(trace, 32) && is_hex(span, 16);
    let named = trace.bytes().any(|b| b != b'0');
    (sound && named && parts.next().is_some()).then(|| trace.to_owned())
}

/// A value of CNI_ARGS, if it is a name that Kubernetes gives.
fn pod_part<'a>(args: &'a str, key: &str) -> Option<&'a str> {
    let pairs = args.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(name, _)| *name == key)?;
    let is_name = value.len() <= MAX_NAME
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    is_name.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_of_a_traceparent() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = |text: &str| trace_id(text);
        let good = format!("00-{id}-00f067aa0ba902b7-01");
        assert_eq!(parent(&good).as_deref(), Some(id));
        assert_eq!(parent(&format!("{good}-later")).as_deref(), Some(id));
        for bad in [
            "".to_owned(),
            id.to_owned(),
            format!("00-{id}-00f067aa0ba902b7"),
            format!("ff-{id}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            good.to_uppercase(),
            format!("00-{id}\n-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(parent(&bad), None, "{bad}");
        }
    }

    #[test]
    fn names_of_pods_are_names_or_nothing() {
        let args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=a b;K8S_POD_NAME=web-0.x";
        assert_eq!(pod_part(args, "K8S_POD_NAME"), Some("web-0.x"));
        assert_eq!(pod_part(args, "K8S_POD_NAMESPACE"), None);
        assert_eq!(pod_part("", "K8S_POD_NAME"), None);
    }
}

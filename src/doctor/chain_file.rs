//! `ChainFile`: one configuration file of CNI, and the plugins it runs one after the other.

use serde_json::{Map, Value};

use super::Facts;
use crate::kernel::file;

/// The two plugins by their `type`, and the key that lets the second do the work of the first.
pub(super) const RDMA: &str = "rdma";
pub(super) const IB_SRIOV: &str = "ib-sriov";
pub(super) const ISOLATION: &str = "rdmaIsolation";

const MAX_FILE: u64 = 1024 * 1024;

/// What libcni reads (`ConfFiles` in containernetworking/cni).
const ENDINGS: [&str; 3] = [".conf", ".conflist", ".json"];

type Object = Map<String, Value>;

/// One file.
#[derive(Debug, Clone)]
pub struct ChainFile {
    /// Where it is.
    pub path: String,
    /// What it says.
    pub content: Result<Content, String>,
}

/// A configuration that can be read.
#[derive(Debug, Clone)]
pub struct Content {
    /// All of it.
    pub document: Object,
    /// The plugins in the order in which ADD runs them.
    pub plugins: Vec<Object>,
    /// It is a list, and not a single plugin.
    pub is_list: bool,
}

impl ChainFile {
    /// Whether a plugin of this type is in it.
    pub fn has(&self, kind: &str) -> bool {
        self.content
            .as_ref()
            .is_ok_and(|content| content.plugins.iter().any(|plugin| is(plugin, kind)))
    }
}

impl Content {
    /// The first plugin of this type, and its place.
    pub fn find(&self, kind: &str) -> Option<(usize, &Object)> {
        let mut plugins = self.plugins.iter().enumerate();
        plugins.find(|(_, plugin)| is(plugin, kind))
    }

    /// The file with other plugins.
    pub fn with_plugins(&self, plugins: Vec<Object>) -> String {
        let plugins = plugins.into_iter().map(Value::Object).collect();
        let mut document = self.document.clone();
        let key = document
            .keys()
            .find(|key| key.eq_ignore_ascii_case("plugins"));
        let key = key.map_or_else(|| "plugins".to_owned(), String::clone);
        document.insert(key, Value::Array(plugins));
        let mut text = serde_json::to_string_pretty(&Value::Object(document)).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// A member; the case of its key does not matter, as it does not to Go's decoder.
pub fn member<'a>(object: &'a Object, key: &str) -> Option<&'a Value> {
    let mut members = object.iter();
    let found = members.find(|(name, _)| name.eq_ignore_ascii_case(key));
    found
        .map(|(_, value)| value)
        .filter(|value| !value.is_null())
}

/// Whether a plugin is of this type.
pub fn is(plugin: &Object, kind: &str) -> bool {
    member(plugin, "type").and_then(Value::as_str) == Some(kind)
}

/// Every configuration file, by folder and name.
pub(super) fn list(facts: &Facts<'_>) -> Vec<ChainFile> {
    let mut found = Vec::new();
    for folder in &facts.cni_folders().conf {
        for name in facts.file(file::list(&facts.host.path(folder))) {
            let Some(name) = name
                .to_str()
                .filter(|name| ENDINGS.iter().any(|ending| name.ends_with(ending)))
            else {
                continue;
            };
            let path = format!("{folder}/{name}");
            let content = match file::read_regular(&facts.host.path(&path), MAX_FILE) {
                Ok(Some(bytes)) => parse(&bytes),
                Ok(None) => continue,
                Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => {
                    facts.gap(path, error.source.to_string());
                    continue;
                }
                Err(error) => Err(error.source.to_string()),
            };
            found.push(ChainFile { path, content });
        }
    }
    found
}

/// A list has `plugins`; anything else is one plugin.
fn parse(bytes: &[u8]) -> Result<Content, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let Value::Object(document) = value else {
        return Err("it is no JSON object".to_owned());
    };
    let (plugins, is_list) = match member(&document, "plugins") {
        None => (vec![document.clone()], false),
        Some(Value::Array(plugins)) => (objects(plugins)?, true),
        Some(_) => return Err("\"plugins\" is no list".to_owned()),
    };
    if plugins.is_empty() {
        return Err("\"plugins\" is empty".to_owned());
    }
    for (at, plugin) in plugins.iter().enumerate() {
        if !member(plugin, "type").is_some_and(Value::is_string) {
            return Err(format!("plugin {} has no \"type\"", at + 1));
        }
    }
    Ok(Content {
        document,
        plugins,
        is_list,
    })
}

fn objects(values: &[Value]) -> Result<Vec<Object>, String> {
    let object = |(at, value): (usize, &Value)| match value {
        Value::Object(object) => Ok(object.clone()),
        _ => Err(format!("plugin {} is no JSON object", at + 1)),
    };
    values.iter().enumerate().map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_and_single_plugins() {
        let list =
            parse(br#"{"name":"n","Plugins":[{"type":"a"},{"TYPE":"rdma","x":1}]}"#).unwrap();
        assert!(list.is_list && list.plugins.len() == 2);
        assert_eq!(list.find("rdma").unwrap().0, 1);
        let text = list.with_plugins(vec![list.plugins[0].clone()]);
        assert_eq!(parse(text.as_bytes()).unwrap().plugins.len(), 1);
        assert!(text.contains("\"Plugins\"") && !text.contains("\"plugins\""));
        assert!(!parse(br#"{"type":"rdma"}"#).unwrap().is_list);
    }

    #[test]
    fn what_is_none() {
        let deep = "[".repeat(200_000);
        for text in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"plugins":{}}"#,
            r#"{"plugins":[]}"#,
            r#"{"plugins":[1]}"#,
            r#"{"plugins":[{}]}"#,
            r#"{"type":1}"#,
            r#"{"type":null}"#,
            &deep,
        ] {
            assert!(parse(text.as_bytes()).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&bytes);
        }
    }
}

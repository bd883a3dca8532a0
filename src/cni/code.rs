//! `Code` and `Failure`: how a plugin tells the runtime that it could not do what was asked.

use serde_json::{Map, Value};

use super::version;

/// An error number of the CNI specification; 100 and more belong to the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u32);

impl Code {
    /// The configuration's version is not spoken here.
    pub const INCOMPATIBLE_VERSION: Self = Self(1);
    /// A variable of the environment is missing or wrong.
    pub const INVALID_ENVIRONMENT: Self = Self(4);
    /// A file or socket could not be read or written.
    pub const IO: Self = Self(5);
    /// What came on stdin is not what it should be.
    pub const DECODING: Self = Self(6);
    /// The network configuration makes no sense.
    pub const INVALID_CONFIG: Self = Self(7);
    /// The namespace is the plugin's own.
    pub const INVALID_NETNS: Self = Self(8);
    /// It may work in a moment; the runtime should call again.
    pub const TRY_AGAIN: Self = Self(11);
    /// The plugin cannot serve ADD.
    pub const NOT_AVAILABLE: Self = Self(50);
    /// The plugin cannot serve ADD, and containers that run may lose their connection.
    pub const LIMITED: Self = Self(51);
    /// Anything that should not happen.
    pub const INTERNAL: Self = Self(999);
}

/// One error, as it goes to the runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{msg}")]
pub struct Failure {
    /// What kind.
    pub code: Code,
    /// What happened, in a sentence.
    pub msg: String,
    /// Why, and what to do about it; may be empty.
    pub details: String,
}

impl Failure {
    /// An error that needs no explanation.
    pub fn new(code: Code, msg: impl Into<String>) -> Self {
        Self {
            code,
            msg: msg.into(),
            details: String::new(),
        }
    }

    /// The same with cause and cure.
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// The document for stdout, in the version the runtime speaks.
    pub fn document(&self, cni_version: &str) -> String {
        let spoken = if version::SUPPORTED.contains(&cni_version) {
            cni_version
        } else {
            version::CURRENT
        };
        let mut object = Map::new();
        object.insert("cniVersion".to_owned(), Value::from(spoken));
        object.insert("code".to_owned(), Value::from(self.code.0));
        object.insert("msg".to_owned(), Value::from(self.msg.as_str()));
        if !self.details.is_empty() {
            object.insert("details".to_owned(), Value::from(self.details.as_str()));
        }
        super::result_text::indented(&Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_keys_of_the_specification() {
        let failure = Failure::new(Code::TRY_AGAIN, "busy \"x\"").details("wait");
        assert_eq!(
            failure.document("0.4.0"),
            "{\n    \"cniVersion\": \"0.4.0\",\n    \"code\": 11,\n    \"msg\": \"busy \\\"x\\\"\",\n    \"details\": \"wait\"\n}"
        );
        let value: Value =
            serde_json::from_str(&Failure::new(Code::INTERNAL, "").document("9")).unwrap();
        assert_eq!(value["cniVersion"], version::CURRENT);
        assert!(value.get("details").is_none());
    }
}

//! `NetnsMark`: a network namespace on record, and how it is known again.

use serde_json::{Map, Value};

use crate::kernel::Netns;
use crate::kernel::netns::NetnsId;

/// The namespace of a container, in the records of both plugins and of the hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetnsMark {
    /// The path the runtime gave.
    pub path: String,
    /// Its inode.
    pub id: NetnsId,
    /// The number that no other namespace of this boot has, where the kernel tells.
    pub cookie: Option<u64>,
    /// The boot in which inode and cookie mean something.
    pub boot: String,
}

impl NetnsMark {
    /// Of an open namespace, in the boot that is.
    pub fn of(netns: &Netns, boot: String) -> Self {
        Self {
            path: netns.word().to_owned(),
            id: netns.id(),
            cookie: netns.cookie(),
            boot,
        }
    }

    /// Whether this is the namespace; that it is of this boot has to be known.
    pub fn is(&self, netns: &Netns) -> bool {
        netns.is(self.id, self.cookie)
    }

    /// Its keys in a record, in the order in which they stand there.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let cookie = self.cookie.map(|cookie| ("netnsCookie", cookie.into()));
        [
            Some(("netns", self.path.as_str().into())),
            Some(("netnsInode", self.id.0.into())),
            cookie,
            Some(("bootID", self.boot.as_str().into())),
        ]
        .into_iter()
        .flatten()
    }

    /// From these keys; `None` where one is missing or empty that is always written.
    pub fn read(object: &Map<String, Value>) -> Option<Self> {
        let text = |key| object.get(key)?.as_str().filter(|text| !text.is_empty());
        let number = |key| object.get(key)?.as_u64();
        Some(Self {
            path: text("netns")?.to_owned(),
            id: NetnsId(number("netnsInode")?),
            cookie: number("netnsCookie"),
            boot: text("bootID")?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let read = |text: &str| NetnsMark::read(&serde_json::from_str(text).unwrap());
        let text =
            r#"{"netns":"/run/netns/p","netnsInode":4026532281,"netnsCookie":4711,"bootID":"b"}"#;
        let mark = read(text).unwrap();
        let entries = mark.entries().map(|(key, value)| (key.to_owned(), value));
        assert_eq!(Value::Object(entries.collect()).to_string(), text);
        // Kernels before 5.14 have no cookies.
        let old = read(r#"{"netns":"/x","netnsInode":7,"bootID":"b"}"#).unwrap();
        assert_eq!(old.cookie, None);
        for cut in [
            "{}",
            r#"{"netns":"/x","netnsInode":-7,"bootID":"b"}"#,
            r#"{"netns":"","netnsInode":7,"bootID":"b"}"#,
            r#"{"netns":"/x","netnsInode":7,"bootID":""}"#,
        ] {
            assert_eq!(read(cut), None, "{cut}");
        }
    }
}

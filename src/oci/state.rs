//! `State`: what a runtime tells a hook of its container, on standard input.
//!
//! The fields are those of "State" in `runtime.md` of the OCI runtime specification.

use serde_json::{Map, Value};

use super::word::{self, Word};
use crate::types::{ContainerId, Invalid};

/// Most bytes that are read: annotations of Kubernetes alone may have 256 KiB.
pub const MAX_STATE: u64 = 4 * 1024 * 1024;

/// The annotation that names the devices.
pub const DEVICES: &str = "rdmactl.io/devices";

/// What all of our annotations begin with.
const OURS: &str = "rdmactl.io/";

/// How far a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its namespaces are there, and nothing of its own has run.
    Creating,
    /// Its program runs.
    Running,
    /// It has ended.
    Stopped,
    /// A word of the runtime's own, such as `paused`.
    Other,
}

/// What is read of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The container.
    pub id: ContainerId,
    /// How far it is.
    pub status: Status,
    /// Its first process, as the caller's PID namespace numbers it.
    pub pid: Option<u32>,
    /// The devices that its annotation names.
    pub devices: Vec<Word>,
}

/// Why a state cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is no JSON object.
    #[error("standard input is no OCI state: {0}")]
    NotState(String),
    /// A field is not there.
    #[error("the OCI state has no {0}")]
    Missing(&'static str),
    /// A field is something else than it should be.
    #[error("{0} of the OCI state is not {1}")]
    Type(&'static str, &'static str),
    /// A value is none.
    #[error("{0} of the OCI state: {1}")]
    Invalid(&'static str, Invalid),
    /// An annotation of ours that there is none of.
    #[error("there is no annotation \"{}\"", .0.escape_default())]
    Annotation(String),
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, StateError> {
    let none = |why: &str| StateError::NotState(why.to_owned());
    if bytes.len() as u64 > MAX_STATE {
        return Err(none("it has more than 4 MiB"));
    }
    if bytes.is_empty() {
        return Err(none("it is empty"));
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(none("it is no JSON object")),
        Err(error) => Err(none(&error.to_string())),
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &'static str) -> Result<&'a str, StateError> {
    let value = object.get(key).ok_or(StateError::Missing(key))?;
    value.as_str().ok_or(StateError::Type(key, "a text"))
}

fn id(object: &Map<String, Value>) -> Result<ContainerId, StateError> {
    let word = text(object, "id")?;
    word.parse()
        .map_err(|invalid| StateError::Invalid("id", invalid))
}

impl State {
    /// Reads a whole state.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StateError> {
        let object = object(bytes)?;
        Ok(Self {
            status: status(&object)?,
            id: id(&object)?,
            pid: pid(&object)?,
            devices: devices(&object)?,
        })
    }

    /// Reads no more of it than whose it is: what else may be wrong must not keep a device.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn container(bytes: &[u8]) -> Result<ContainerId, StateError> {
        id(&object(bytes)?)
    }

    /// Reads how far the container is, alone.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn status(bytes: &[u8]) -> Result<Status, StateError> {
        status(&object(bytes)?)
    }
}

fn status(object: &Map<String, Value>) -> Result<Status, StateError> {
    Ok(match text(object, "status")? {
        "creating" | "created" => Status::Creating,
        "running" => Status::Running,
        "stopped" => Status::Stopped,
        _ => Status::Other,
    })
}

/// Absent, or 0, once the process is gone.
fn pid(object: &Map<String, Value>) -> Result<Option<u32>, StateError> {
    const RULE: &str = "a process number";
    let Some(value) = object.get("pid") else {
        return Ok(None);
    };
    let number = value.as_u64().ok_or(StateError::Type("pid", RULE))?;
    // `PID_MAX_LIMIT` (`linux/threads.h`) is far below.
    let number = i32::try_from(number).map_err(|_| StateError::Type("pid", RULE))?;
    Ok(u32::try_from(number).ok().filter(|pid| *pid > 0))
}

fn devices(object: &Map<String, Value>) -> Result<Vec<Word>, StateError> {
    const ANNOTATIONS: &str = "annotations";
    let annotations = match object.get(ANNOTATIONS) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(annotations)) => annotations,
        Some(_) => return Err(StateError::Type(ANNOTATIONS, "an object")),
    };
    let mut ours = annotations.keys().filter(|key| key.starts_with(OURS));
    if let Some(unknown) = ours.find(|key| *key != DEVICES) {
        return Err(StateError::Annotation(unknown.clone()));
    }
    let Some(value) = annotations.get(DEVICES) else {
        return Ok(Vec::new());
    };
    let text = value.as_str().ok_or(StateError::Type(DEVICES, "a text"))?;
    word::list(text).map_err(|invalid| StateError::Invalid(DEVICES, invalid))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<State, String> {
        State::parse(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_runc_says() {
        let state = read(
            r#"{"ociVersion":"1.0.2-dev","id":"web","status":"creating","pid":812,"bundle":"/run/x",
            "annotations":{"io.podman":"1","rdmactl.io/devices":"mlx5_2,0000:01:10.2"}}"#,
        )
        .unwrap();
        assert_eq!((state.id.as_str(), state.pid), ("web", Some(812)));
        assert_eq!(state.status, Status::Creating);
        assert_eq!(state.devices.len(), 2);
        let bare = read(r#"{"id":"web","status":"stopped","pid":0,"annotations":null}"#).unwrap();
        assert_eq!((bare.pid, bare.devices.len()), (None, 0));
        assert_eq!(bare.status, Status::Stopped);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, says) in [
            ("", "it is empty"),
            ("[]", "no JSON object"),
            ("{", "EOF"),
            ("{}", "has no status"),
            (r#"{"status":"created"}"#, "has no id"),
            (r#"{"status":1}"#, "status of the OCI state is not a text"),
            (
                r#"{"status":"created","id":5}"#,
                "id of the OCI state is not a text",
            ),
            (r#"{"status":"created","id":"../x"}"#, "container id"),
            (
                r#"{"status":"created","id":"x","pid":-1}"#,
                "process number",
            ),
            (
                r#"{"status":"created","id":"x","pid":"1"}"#,
                "process number",
            ),
            (
                r#"{"status":"created","id":"x","pid":4294967297}"#,
                "process number",
            ),
            (
                r#"{"status":"created","id":"x","annotations":[]}"#,
                "not an object",
            ),
            (
                r#"{"status":"created","id":"x","annotations":{"rdmactl.io/devices":3}}"#,
                "not a text",
            ),
            (
                r#"{"status":"created","id":"x","annotations":{"rdmactl.io/devices":"a/b"}}"#,
                "not a valid device",
            ),
            (
                r#"{"status":"created","id":"x","annotations":{"rdmactl.io/device":"a"}}"#,
                "no annotation \"rdmactl.io/device\"",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        let long = vec![b' '; MAX_STATE as usize + 1];
        assert!(
            State::parse(&long)
                .unwrap_err()
                .to_string()
                .contains("4 MiB")
        );
        let deep = "[".repeat(100_000);
        assert!(read(&deep).is_err());
    }

    #[test]
    fn the_container_is_enough_to_bring_devices_home() {
        let text = br#"{"id":"web","pid":"x","annotations":7}"#;
        assert_eq!(State::container(text).unwrap().as_str(), "web");
        assert!(State::status(text).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = State::parse(&bytes);
            let _ = State::container(&bytes);
        }
    }
}

//! JSON as a runtime's logs like it: four spaces of indent, numbers as they were spelt.

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

/// `value` as text, indented by four spaces, without a newline at the end.
pub fn indented(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer =
        Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"    "));
    match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        // Writing to memory cannot fail, and a key that is no string cannot be built here.
        Err(_) => String::from("{}"),
    }
}

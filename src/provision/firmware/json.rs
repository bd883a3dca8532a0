//! The JSON that `mstconfig -j FILE query` writes, mstflint 4.31 and newer.

use serde_json::Value as Json;

use super::card::{Card, MAX_SETTINGS};
use super::setting::{Setting, Value};

/// Reads the first card of a query; `None` when it is no such document.
///
/// `modified` is left alone: it is set where the maker's value is another, reset or not.
pub fn read(bytes: &[u8]) -> Option<Card> {
    let document: Json = serde_json::from_slice(bytes).ok()?;
    let device = document.as_object()?.values().next()?;
    let settings = device.get("tlv_configuration")?.as_object()?;
    let kind = device.get("device_type").and_then(Json::as_str);
    let mut card = Card {
        kind: kind
            .filter(|kind| !kind.is_empty() && *kind != "N/A")
            .map(str::to_owned),
        settings: Vec::new(),
    };
    for (key, setting) in settings.iter().take(MAX_SETTINGS) {
        let value = |name: &str| setting.get(name).and_then(value);
        card.take(Setting {
            key: key.clone(),
            is_read_only: setting.get("read_only").and_then(Json::as_bool) == Some(true),
            default: value("default_value"),
            current: value("current_value"),
            next: value("next_value"),
        });
    }
    Some(card)
}

fn value(json: &Json) -> Option<Value> {
    match json {
        Json::Number(number) => number.as_u64().map(Value::Number),
        Json::String(text) => Value::parse(text),
        Json::Bool(on) => Some(Value::Number(u64::from(*on))),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_card() {
        let card = read(include_bytes!(
            "../../../tests/fixtures/firmware/query.json"
        ))
        .unwrap();
        assert_eq!(card.kind.as_deref(), Some("ConnectX6"));
        let pending: Vec<&str> = card.pending().map(|setting| setting.key.as_str()).collect();
        assert_eq!(pending, ["SRIOV_EN"]);
        assert_eq!(card.find("NUM_OF_VFS").and_then(Setting::working), Some(16));
        let unknown = card.find("UCTX_EN").unwrap();
        assert!(unknown.is_read_only);
        assert_eq!((unknown.working(), unknown.is_pending()), (Some(1), None));
    }

    #[test]
    fn what_is_no_card() {
        for text in [
            "",
            "[]",
            "{}",
            "{\"Device #1\": 7}",
            "{\"Device #1\": {\"tlv_configuration\": []}}",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        // What the tool leaves when it has found no card.
        let bare = br#"{"Device #1":{"tlv_configuration":{"A":7,"B":{"next_value":-1}}}}"#;
        assert!(
            read(bare)
                .unwrap()
                .settings
                .iter()
                .all(|setting| setting.next.is_none())
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            read(&bytes);
        }
    }
}

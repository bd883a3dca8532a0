//! What a driver adds to an object: `drv_` and its own word for it, on lines of their own in text.

use std::collections::BTreeMap;

use crate::view::{Field, Row, Value};
use crate::wire::nldev::resource::Detail;
use crate::wire::nldev::resource::driver::DetailValue;

/// A line of text is broken before the next property when its numbers, with their keys, take more
/// characters than this; iproute2 does not count words.
const LINE: usize = 80;

/// The fields, numbers with all their bits.
pub(super) fn fields(row: &mut Row, details: &[Detail]) {
    let mut line = usize::MAX;
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for detail in details {
        let key = format!("drv_{}", detail.key);
        let times = seen.entry(key.clone()).or_default();
        *times += 1;
        // An object has a key once: cxgb4 has the same words for both queues of a pair.
        let unique = match *times {
            1 => key.clone(),
            number => format!("{key}_{number}"),
        };
        let (value, shown) = match (&detail.value, detail.hex) {
            (DetailValue::Text(text), _) => (Value::from(text.as_str()), text.clone()),
            (DetailValue::Signed(n), true) => (Value::from(*n), format!("0x{n:x}")),
            (DetailValue::Signed(n), false) => (Value::from(*n), n.to_string()),
            (DetailValue::Unsigned(n), true) => (Value::from(*n), format!("0x{n:x}")),
            (DetailValue::Unsigned(n), false) => (Value::from(*n), n.to_string()),
        };
        let token = format!("{key} {shown} ");
        let begins = line > LINE;
        let text = if begins {
            format!("    {token}")
        } else {
            token.clone()
        };
        let counted = !matches!(detail.value, DetailValue::Text(_));
        line = if begins { 0 } else { line } + if counted { token.len() } else { 0 };
        let field = Field::with_text(unique.clone(), unique, text, value);
        row.push(if begins { field.broken() } else { field });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_and_no_bit_is_lost() {
        let detail = |key: &str, hex, value| Detail {
            key: key.to_owned(),
            hex,
            value,
        };
        let mut details: Vec<Detail> = (0..6)
            .map(|n| detail(&format!("counter_{n}"), false, DetailValue::Unsigned(n)))
            .collect();
        details.push(detail("odp", false, DetailValue::Text("implicit".into())));
        details.push(detail("top", false, DetailValue::Unsigned(u64::MAX)));
        details.push(detail("low", false, DetailValue::Signed(-2)));
        details.push(detail("va", true, DetailValue::Unsigned(1 << 40)));
        details.push(detail("low", false, DetailValue::Signed(7)));
        let mut row = Row::new();
        fields(&mut row, &details);
        assert_eq!(
            crate::view::text::render(std::slice::from_ref(&row), false),
            "\n    drv_counter_0 0 drv_counter_1 1 drv_counter_2 2 drv_counter_3 3 drv_counter_4 4 drv_counter_5 5 \
             \n    drv_odp implicit drv_top 18446744073709551615 drv_low -2 drv_va 0x10000000000 drv_low 7 \n"
        );
        let json = crate::view::json::render(&[row], false);
        assert!(
            json.contains(
                "\"drv_top\":18446744073709551615,\"drv_low\":-2,\"drv_va\":1099511627776,\"drv_low_2\":7"
            ),
            "{json}"
        );
    }
}

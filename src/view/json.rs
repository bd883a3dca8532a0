//! One JSON array a command, with the very line breaks that iproute2 puts in it since 6.7.

use std::borrow::{Borrow, Cow};
use std::fmt::Write;

use super::field::digits;
use super::{Row, Value};

/// All records; `pretty` as `-p`.
pub fn render(rows: impl IntoIterator<Item = impl Borrow<Row>>, pretty: bool) -> String {
    let mut out = String::from(if pretty { "[ " } else { "[" });
    let mut any = false;
    for row in rows {
        if std::mem::replace(&mut any, true) {
            out.push(',');
        }
        object(&mut out, row.borrow(), pretty);
        out.push('\n');
    }
    if pretty && any {
        out.push(' ');
    }
    out.push_str("]\n");
    out
}

/// A document of [`render`] as a part of a line. A string has no line break in it: those that are
/// there stand between records.
pub fn unbroken(document: &str) -> String {
    document.replace('\n', "")
}

/// One record as an object on a line of its own.
pub fn line(row: &Row) -> String {
    let mut out = String::new();
    object(&mut out, row, false);
    out.push('\n');
    out
}

fn object(out: &mut String, row: &Row, pretty: bool) {
    out.push('{');
    let mut first = true;
    for field in row.iter().filter(|field| field.in_json) {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        if pretty {
            out.push_str("\n        ");
        }
        word(out, &field.key);
        out.push_str(if pretty { ": " } else { ":" });
        value(out, &field.value, pretty);
    }
    if pretty && !first {
        out.push_str("\n    ");
    }
    out.push('}');
}

fn value(out: &mut String, shown: &Value, pretty: bool) {
    match shown {
        Value::Number(number) => digits(*number, out),
        // Writing to a string does not fail.
        Value::Signed(number) => drop(write!(out, "{number}")),
        // Never with an exponent, which JSON would allow but not every reader.
        Value::Decimal(number) => drop(write!(out, "{number}")),
        Value::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Text(text) => word(out, text),
        Value::List(values) => {
            out.push_str(if pretty { "[ " } else { "[" });
            for (at, each) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                value(out, each, pretty);
            }
            out.push_str(if pretty && !values.is_empty() {
                " ]"
            } else {
                "]"
            });
        }
    }
}

/// A word of ours, which has nothing in it to be escaped, or one of somebody else's.
#[expect(clippy::ptr_arg, reason = "whose word it is decides")]
fn word(out: &mut String, word: &Cow<'static, str>) {
    match word {
        Cow::Borrowed(ours) => {
            out.push('"');
            out.push_str(ours);
            out.push('"');
        }
        Cow::Owned(text) => string(out, text),
    }
}

/// A JSON string; characters from 0x80 stay as they are.
fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{c}' => out.push_str("\\f"),
            '\u{8}' => out.push_str("\\b"),
            '\0'..='\u{1f}' | '\u{7f}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Field;

    fn rows() -> Vec<Row> {
        vec![
            vec![
                Field::new("ifindex", "INDEX", 0u32),
                Field::new("caps", "CAPS", vec!["A", "B"]),
            ],
            vec![
                Field::new("ifname", "NAME", "a\"b"),
                Field::new("on", "ON", true),
            ],
        ]
    }

    // `rdma -j dev` and `rdma -jp dev` of iproute2 6.15 with two soft-RoCE devices, fields cut.
    #[test]
    fn the_line_breaks_of_iproute2() {
        assert_eq!(
            render(rows(), false),
            "[{\"ifindex\":0,\"caps\":[\"A\",\"B\"]}\n,{\"ifname\":\"a\\\"b\",\"on\":true}\n]\n"
        );
        assert_eq!(
            render(&rows()[..1], true),
            "[ {\n        \"ifindex\": 0,\n        \"caps\": [ \"A\",\"B\" ]\n    }\n ]\n"
        );
        assert_eq!(render(&[] as &[Row], false), "[]\n");
        assert_eq!(render(&[] as &[Row], true), "[ ]\n");
    }

    #[test]
    fn any_text_is_sound_json() {
        let nasty = "a\u{1}\u{7f}\t\n\\\"é\u{8}\u{c}\r";
        let out = render(&[vec![Field::new("ifname", "NAME", nasty)]], false);
        let read: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(read[0]["ifname"], nasty);
        let line = unbroken(&out);
        assert!(!line.contains('\n'));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&line).unwrap(),
            read
        );
    }

    #[test]
    fn numbers_with_a_fraction() {
        for (number, text) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (1e18, "1000000000000000000"),
            (0.0000116, "0.0000116"),
        ] {
            let field = Field::with_text("rate", "", String::new(), Value::Decimal(number));
            let out = render(&[vec![field]], false);
            assert_eq!(out, format!("[{{\"rate\":{text}}}\n]\n"));
            let read: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(read[0]["rate"].as_f64(), Some(number));
        }
    }
}

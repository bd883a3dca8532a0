//! `Field` and `Row`: one list of what a record shows feeds all three printers.

use std::borrow::Cow;
use std::fmt::Write;

/// What a program reads of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number; every 64 bits of it.
    Number(u64),
    /// A number that may be below zero.
    Signed(i64),
    /// A finite number with a fraction.
    Decimal(f64),
    /// A switch.
    Flag(bool),
    /// A word.
    Text(Cow<'static, str>),
    /// Several of them.
    List(Vec<Value>),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Number(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<u8> for Value {
    fn from(value: u8) -> Self {
        Self::Number(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Signed(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Cow::Owned(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

/// The characters of a field in text. They are put together when they are printed: JSON has no use
/// for them.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    /// None.
    Absent,
    /// `key value `, as most of iproute2's are.
    Pair,
    /// The same without the blank behind it.
    LastPair,
    /// The value, and a colon and a blank.
    Head,
    /// These, and the value in angle brackets.
    Bracketed(&'static str),
    /// These.
    Exact(String),
}

impl Value {
    /// One of our own words.
    pub fn word(word: &'static str) -> Self {
        Self::Text(Cow::Borrowed(word))
    }

    /// Some of our own words.
    pub fn words(words: impl IntoIterator<Item = &'static str>) -> Self {
        Self::List(words.into_iter().map(Self::word).collect())
    }
}

/// One property of a record under its three names.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// JSON key; the kernel names counters and the like itself.
    pub key: Cow<'static, str>,
    /// Column head; empty keeps the field out of tables.
    pub head: Cow<'static, str>,
    /// The characters in text, trailing blank included.
    pub text: Text,
    /// Text begins on a line of its own inside the record.
    pub broken: bool,
    /// What JSON and tables show.
    pub value: Value,
    /// Whether JSON has it.
    pub in_json: bool,
}

impl Field {
    /// Text is `key value `, as most of iproute2's are.
    pub fn new(
        key: impl Into<Cow<'static, str>>,
        head: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
    ) -> Self {
        Self {
            key: key.into(),
            head: head.into(),
            text: Text::Pair,
            broken: false,
            value: value.into(),
            in_json: true,
        }
    }

    /// As [`Self::new`], for one of our own words.
    pub fn word(key: &'static str, head: &'static str, word: &'static str) -> Self {
        Self::new(key, head, Value::word(word))
    }

    /// Text is `value: `, as what begins a line of iproute2's.
    pub fn head(key: &'static str, head: &'static str, value: impl Into<Value>) -> Self {
        Self {
            text: Text::Head,
            ..Self::new(key, head, value)
        }
    }

    /// Text is `text`.
    pub fn with_text(
        key: impl Into<Cow<'static, str>>,
        head: impl Into<Cow<'static, str>>,
        text: String,
        value: impl Into<Value>,
    ) -> Self {
        Self {
            text: Text::Exact(text),
            ..Self::new(key, head, value)
        }
    }

    /// A field of tables alone, where they are to show something else than text and JSON.
    pub fn in_tables(head: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Self::with_text("", head, String::new(), value).not_in_json()
    }

    /// A field of JSON alone.
    pub fn in_json(key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Self::with_text(key, "", String::new(), value)
    }

    /// The same field on a line of its own inside the record.
    pub fn broken(mut self) -> Self {
        self.broken = true;
        self
    }

    /// The same field without text.
    pub fn not_in_text(mut self) -> Self {
        self.text = Text::Absent;
        self
    }

    /// The same field without a JSON key.
    pub fn not_in_json(mut self) -> Self {
        self.in_json = false;
        self
    }
}

/// The fields of one record, in the order they are printed.
pub type Row = Vec<Field>;

impl Field {
    /// Puts the characters that the field has in text behind `out`.
    pub(super) fn print(&self, out: &mut String) {
        match &self.text {
            Text::Absent => {}
            Text::Exact(text) => out.push_str(text),
            Text::Head => {
                print(&self.value, out);
                out.push_str(": ");
            }
            Text::Bracketed(lead) => {
                out.push_str(lead);
                out.push('<');
                print(&self.value, out);
                out.push('>');
            }
            Text::Pair | Text::LastPair => {
                out.push_str(&self.key);
                out.push(' ');
                print(&self.value, out);
                if self.text == Text::Pair {
                    out.push(' ');
                }
            }
        }
    }

    /// Whether text has it at all.
    pub(super) fn in_text(&self) -> bool {
        match &self.text {
            Text::Absent => false,
            Text::Exact(text) => !text.is_empty(),
            _ => true,
        }
    }
}

/// A value as people read it.
pub fn plain(value: &Value) -> String {
    let mut out = String::new();
    print(value, &mut out);
    out
}

fn print(value: &Value, out: &mut String) {
    match value {
        Value::Number(number) => digits(*number, out),
        Value::Signed(number) => {
            // Writing to a string does not fail.
            let _ = write!(out, "{number}");
        }
        Value::Decimal(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Flag(true) => out.push_str("on"),
        Value::Flag(false) => out.push_str("off"),
        Value::Text(text) => out.push_str(text),
        Value::List(values) => {
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                print(value, out);
            }
        }
    }
}

/// A number; most of a listing is numbers, and most of them have one digit.
pub(super) fn digits(number: u64, out: &mut String) {
    if number > 9 {
        digits(number / 10, out);
    }
    out.push(char::from(b'0' + (number % 10) as u8));
}

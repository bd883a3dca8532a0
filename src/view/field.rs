//! `Field` and `Row`: one list of what a record shows feeds all three printers.

use std::borrow::Cow;

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
    Text(String),
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
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

/// One property of a record under its three names.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// JSON key; the kernel names counters and the like itself.
    pub key: Cow<'static, str>,
    /// Column head; empty keeps the field out of tables.
    pub head: Cow<'static, str>,
    /// The exact characters in text, trailing blank included; empty keeps it out.
    pub text: String,
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
        let (key, value) = (key.into(), value.into());
        let text = format!("{key} {} ", plain(&value));
        Self {
            key,
            head: head.into(),
            text,
            broken: false,
            value,
            in_json: true,
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
            key: key.into(),
            head: head.into(),
            text,
            broken: false,
            value: value.into(),
            in_json: true,
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
        self.text.clear();
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

/// A value as people read it.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Signed(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Flag(true) => "on".to_owned(),
        Value::Flag(false) => "off".to_owned(),
        Value::Text(text) => text.clone(),
        Value::List(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
    }
}

//! `Object`: a JSON object whose values stay as they were written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// The members of an object in their order, undecoded; the values keep their spelling.
#[derive(Debug, Clone, Default)]
pub struct Object<'a>(Vec<(String, &'a RawValue)>);

/// Why an object cannot be read, or a member of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// It is not JSON, or no object.
    #[error("{0}")]
    Json(String),
    /// A member stands there twice, with two values.
    #[error("key \"{0}\" is given twice with different values")]
    Twice(String),
    /// A member has another type than it should have.
    #[error("\"{key}\" must be {wanted}")]
    Type {
        /// The member.
        key: String,
        /// Its type, with an article.
        wanted: &'static str,
    },
}

impl<'a> Object<'a> {
    /// Reads `text`; `null` is an empty object.
    ///
    /// # Errors
    /// [`ObjectError::Json`].
    pub fn parse(text: &'a str) -> Result<Self, ObjectError> {
        let parsed: Result<Option<Self>, _> = serde_json::from_str(text);
        match parsed {
            Ok(object) => Ok(object.unwrap_or_default()),
            Err(error) if error.is_eof() => {
                Err(ObjectError::Json("unexpected end of JSON input".to_owned()))
            }
            Err(error) => Err(ObjectError::Json(error.to_string())),
        }
    }

    /// The value of a member. The case of its letters does not matter, as it does not to Go's
    /// decoder; `null` is the same as absence.
    ///
    /// # Errors
    /// [`ObjectError::Twice`]: which of two different values is meant cannot be known.
    pub fn get(&self, key: &str) -> Result<Option<&'a RawValue>, ObjectError> {
        let mut found: Option<&'a RawValue> = None;
        for (name, value) in &self.0 {
            if !name.eq_ignore_ascii_case(key) {
                continue;
            }
            if found.is_some_and(|first| first.get() != value.get()) {
                return Err(ObjectError::Twice(key.to_owned()));
            }
            found = Some(value);
        }
        Ok(found.filter(|value| value.get() != "null"))
    }

    /// A member that is a string; absent and `null` are empty, as for Go.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn text(&self, key: &str) -> Result<String, ObjectError> {
        match self.get(key)? {
            None => Ok(String::new()),
            Some(value) => serde_json::from_str(value.get()).map_err(|_| wrong(key, "a string")),
        }
    }

    /// A member that is an object; absent and `null` are empty.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn object(&self, key: &str) -> Result<Self, ObjectError> {
        match self.get(key)? {
            None => Ok(Self::default()),
            Some(value) => Self::parse(value.get()).map_err(|_| wrong(key, "an object")),
        }
    }

    /// A member that is a list; absent and `null` are empty.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn list(&self, key: &str) -> Result<Vec<&'a RawValue>, ObjectError> {
        match self.get(key)? {
            None => Ok(Vec::new()),
            Some(value) => serde_json::from_str(value.get()).map_err(|_| wrong(key, "a list")),
        }
    }

    /// The same object with one member replaced, or put in front when it was not there.
    pub fn with(mut self, key: &str, value: &'a RawValue) -> Self {
        self.0
            .retain(|(name, _)| name == key || !name.eq_ignore_ascii_case(key));
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some(member) => member.1 = value,
            None => self.0.insert(0, (key.to_owned(), value)),
        }
        self
    }
}

fn wrong(key: &str, wanted: &'static str) -> ObjectError {
    ObjectError::Type {
        key: key.to_owned(),
        wanted,
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_any_case_and_null_is_absence() {
        let object = Object::parse(r#"{"DEVICEID":"x","name":null,"n":1}"#).unwrap();
        assert_eq!(object.text("deviceID").unwrap(), "x");
        assert_eq!(object.text("name").unwrap(), "");
        assert_eq!(
            object.text("n").unwrap_err().to_string(),
            "\"n\" must be a string"
        );
    }

    #[test]
    fn a_key_given_twice_must_agree_with_itself() {
        let same = Object::parse(r#"{"a":"x","A":"x"}"#).unwrap();
        assert_eq!(same.text("a").unwrap(), "x");
        let two = Object::parse(r#"{"a":"x","A":"y","b":1}"#).unwrap();
        assert_eq!(two.text("a"), Err(ObjectError::Twice("a".to_owned())));
        assert!(two.get("b").is_ok());
    }

    #[test]
    fn values_keep_their_spelling_and_order() {
        let text = r#"{"z":1.0e+03,"a":{"y":12345678901234567890123,"x":"\u00e9"}}"#;
        let object = Object::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&object).unwrap(), text);
        let value = RawValue::from_string("\"1.0.0\"".to_owned()).unwrap();
        let changed = object.with("cniVersion", &value).with("cniVersion", &value);
        let changed = serde_json::to_string(&changed).unwrap();
        assert!(changed.starts_with(r#"{"cniVersion":"1.0.0","z":1.0e+03,"#));
    }

    #[test]
    fn depth_does_not_matter() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        let object = Object::parse(&deep).unwrap();
        assert!(object.list("a").unwrap().len() == 1);
        assert!(Object::parse(&"[".repeat(200_000)).is_err());
        assert!(Object::parse(&"{\"a\":".repeat(200_000)).is_err());
    }
}

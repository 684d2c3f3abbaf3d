//! JSON one level deep: members are found and moved, their values stay the raw text they came as.

use std::{borrow::Cow, fmt};

use serde::{
    Serialize,
    de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::jsonrpc::Key;

/// Members an object may have, and so what one read of a client's JSON can cost.
const MAX_MEMBERS: usize = 1_000;
/// Items an array may have.
const MAX_ITEMS: usize = 100_000;

/// An object's members in order.
#[derive(Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads all members. Fails where the text is not an object, or a name occurs twice.
    pub(super) fn parse(json: &'a str) -> Result<Self, Unreadable> {
        Self::read(json, None)
    }

    /// Reads the named members and passes over the others.
    pub(super) fn pick(json: &'a str, names: &'static [&'static str]) -> Result<Self, Unreadable> {
        Self::read(json, Some(names))
    }

    fn read(json: &'a str, names: Option<&'static [&'static str]>) -> Result<Self, Unreadable> {
        if !json.starts_with('{') {
            return Err(Unreadable);
        }
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let object = Members(names)
            .deserialize(&mut deserializer)
            .map_err(|_| Unreadable)?;
        deserializer.end().map_err(|_| Unreadable)?;
        Ok(object)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value)
    }

    /// The member, where it is a string.
    pub(super) fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(string)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }
}

/// Not an object or array as expected; the caller says of what.
#[derive(Debug)]
pub(super) struct Unreadable;

struct Members(Option<&'static [&'static str]>);

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Object<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some(Key(name)) = map.next_key::<Key<'de>>()? {
            if self.0.is_some_and(|names| !names.contains(&name.as_ref())) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if members.len() == MAX_MEMBERS || members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom("too many members, or one twice"));
            }
            members.push((name, map.next_value()?));
        }
        Ok(Object(members))
    }
}

/// An array's items, unread.
pub(super) fn array(json: &str) -> Result<Vec<&RawValue>, Unreadable> {
    struct Items<'a>(Vec<&'a RawValue>);

    impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Read;

            impl<'de> Visitor<'de> for Read {
                type Value = Items<'de>;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an array")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                    let mut items = Vec::new();
                    while let Some(item) = seq.next_element()? {
                        if items.len() == MAX_ITEMS {
                            return Err(A::Error::custom("too many items"));
                        }
                        items.push(item);
                    }
                    Ok(Items(items))
                }
            }

            deserializer.deserialize_seq(Read)
        }
    }

    serde_json::from_str::<Items<'_>>(json)
        .map(|items| items.0)
        .map_err(|_| Unreadable)
}

/// The value, where it is a string.
pub(super) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let mut deserializer = serde_json::Deserializer::from_str(value.get());
    Key::deserialize(&mut deserializer).ok().map(|Key(text)| text)
}

pub(super) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

pub(super) fn is_array(value: &RawValue) -> bool {
    value.get().starts_with('[')
}

/// Open JSON of the contracts as an object. `None` where it is empty or something else.
pub(super) fn open_object(json: &[u8]) -> Option<&RawValue> {
    open(json).filter(|value| is_object(value))
}

/// Open JSON of the contracts. `None` where it is empty or not JSON.
pub(super) fn open(json: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(json).ok()
}

/// Writes an object, member by member.
pub(super) struct ObjectWriter(Vec<u8>);

impl ObjectWriter {
    pub(super) fn new() -> Self {
        ObjectWriter(vec![b'{'])
    }

    /// A member whose value is JSON already.
    pub(super) fn raw(&mut self, name: &str, json: impl AsRef<[u8]>) -> &mut Self {
        self.name(name);
        self.0.extend_from_slice(json.as_ref());
        self
    }

    /// A member that is left out where there is none.
    pub(super) fn raw_if(&mut self, name: &str, json: Option<&RawValue>) -> &mut Self {
        if let Some(json) = json {
            self.raw(name, json.get());
        }
        self
    }

    pub(super) fn value(&mut self, name: &str, value: &impl Serialize) -> &mut Self {
        self.name(name);
        write(&mut self.0, value);
        self
    }

    pub(super) fn value_if(&mut self, name: &str, value: Option<&impl Serialize>) -> &mut Self {
        if let Some(value) = value {
            self.value(name, value);
        }
        self
    }

    /// A text, left out where it is empty (the contracts' way of saying none).
    pub(super) fn text_if(&mut self, name: &str, text: &str) -> &mut Self {
        if !text.is_empty() {
            self.value(name, &text);
        }
        self
    }

    /// A number, without a fraction where it has none. Left out where JSON cannot say it.
    pub(super) fn number(&mut self, name: &str, number: f64) -> &mut Self {
        // Up to 2^53 every whole f64 is that very integer.
        if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
            self.value(name, &(number as i64))
        } else if number.is_finite() {
            self.value(name, &number)
        } else {
            self
        }
    }

    /// The named members of `from`, in its order.
    pub(super) fn copy(&mut self, from: &Object<'_>, names: &[&str]) -> &mut Self {
        for (name, value) in from.iter().filter(|(name, _)| names.contains(name)) {
            self.raw(name, value.get());
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    fn name(&mut self, name: &str) {
        if !self.is_empty() {
            self.0.push(b',');
        }
        write(&mut self.0, &name);
        self.0.push(b':');
    }
}

/// Writes an array of what is JSON already.
pub(super) fn array_of<T: AsRef<[u8]>>(items: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut out = vec![b'['];
    for item in items {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(item.as_ref());
    }
    out.push(b']');
    out
}

fn write(out: &mut Vec<u8>, value: &impl Serialize) {
    // Texts, numbers and lists of them into a Vec: serializing them cannot fail.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}

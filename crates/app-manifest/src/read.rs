//! Reads `hearth.json`.

use crate::check::check;
use crate::manifest::Manifest;
use crate::mistakes::Mistakes;
use crate::schema;
use crate::shape;
use crate::text::beginning;
use serde::Deserialize;
use serde::de;
use serde::de::Deserializer;
use serde_json::Map;
use serde_json::Value;
use std::fmt;

/// Most bytes of a `hearth.json`.
pub const MAX_BYTES: usize = 64 << 10;

impl Manifest {
    /// Reads and checks a `hearth.json`.
    ///
    /// # Errors
    /// All mistakes of its shape, else all others.
    pub fn read(bytes: &[u8]) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        if bytes.len() > MAX_BYTES {
            let sentence = format!("it has {} bytes; {MAX_BYTES} are the most", bytes.len());
            mistakes.add("", sentence);
            return Err(mistakes);
        }
        match serde_json::from_slice::<Strict>(bytes) {
            Ok(Strict(document)) => Self::from_value(document),
            Err(error) => {
                mistakes.add("", format!("it is no JSON document: {error}"));
                Err(mistakes)
            }
        }
    }

    /// Checks a document that was read.
    pub(crate) fn from_value(document: Value) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        shape::check(schema::compiled(), &document, &mut mistakes);
        mistakes.or(())?;
        let manifest: Self = serde_path_to_error::deserialize(document).map_err(|error| {
            // Only if schema and types differ.
            let mut mistakes = Mistakes::default();
            let pointer = format!("/{}", error.path().to_string().replace('.', "/"));
            mistakes.add(pointer, error.into_inner().to_string());
            mistakes
        })?;
        let mut mistakes = Mistakes::default();
        check(&manifest, &mut mistakes);
        mistakes.or(manifest)
    }
}

/// Any JSON document in which no object has a key twice: what people saw would not be what is taken.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor).map(Self)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom(format_args!("an object has {:?} twice", beginning(&key))));
            }
            map.insert(key, value);
        }
        Ok(map.into())
    }
}

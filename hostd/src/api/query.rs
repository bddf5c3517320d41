//! The query of a request: strict, like bodies. What is not known, written twice or not UTF-8 is refused with its name.

use super::error::ApiError;
use std::collections::BTreeMap;

/// Members of a query, decoded.
#[derive(Debug)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads `name=value&…` with percent-encoding (URL Standard, application/x-www-form-urlencoded).
    ///
    /// # Errors
    ///
    /// When a member is not among `known`, comes twice, or is not UTF-8.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, ApiError> {
        let mut members = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !known.contains(&name) {
                return Err(ApiError::field(name, format!("{name} is not known here. Leave it out.")));
            }
            let value = decode(value)
                .ok_or_else(|| ApiError::field(name, format!("{name} is not percent-encoded UTF-8.")))?;
            if members.insert(name.to_owned(), value).is_some() {
                return Err(ApiError::field(name, format!("{name} comes twice. Write it once.")));
            }
        }
        Ok(Self(members))
    }

    /// A member, when it is there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A member that must be there.
    ///
    /// # Errors
    ///
    /// When it is missing.
    pub fn require(&self, name: &'static str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::field(name, format!("{name} is missing.")))
    }
}

/// Decodes one segment of a path, where a plus sign is one.
#[must_use]
pub fn decode_segment(text: &str) -> Option<String> {
    decode(&text.replace('+', "%2B"))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn members_are_decoded_and_strange_ones_refused() {
        let query = Query::parse("from=app:notes&to=app%3adb+tcp%2F5432&", &["from", "to"]).unwrap();
        assert_eq!((query.get("from"), query.get("to")), (Some("app:notes"), Some("app:db tcp/5432")));
        assert_eq!(Query::parse("", &[]).unwrap().get("from"), None);
        for bad in ["from=a&from=b", "other=1", "from=%", "from=%4", "from=%zz", "from=%ff", "%66rom=a"] {
            Query::parse(bad, &["from", "to"]).unwrap_err();
        }
        query.require("from").unwrap();
        Query::parse("", &["from"]).unwrap().require("from").unwrap_err();
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            if let Ok(query) = Query::parse(&format!("a={text}"), &["a"]) {
                prop_assert!(query.get("a").is_some_and(|value| value.len() <= text.len()));
            }
        }
    }
}

//! Compares a document with a schema and tells every difference.
//!
//! Only the keywords that [`crate::schema`] uses are known (a test holds that), and mistakes are told as people would tell them.

use crate::mistakes::Mistakes;
use crate::mistakes::below;
use crate::rules;
use crate::text::beginning;
use serde_json::Map;
use serde_json::Value;

/// Adds what is wrong with a document.
pub(crate) fn check(schema: &Value, document: &Value, mistakes: &mut Mistakes) {
    Shape { root: schema }.compare(schema, document, "", mistakes);
}

struct Shape<'a> {
    root: &'a Value,
}

impl<'a> Shape<'a> {
    /// The schema itself, where there is only its name.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
        name.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    fn compare(&self, schema: &'a Value, value: &Value, place: &str, mistakes: &mut Mistakes) {
        let schema = self.resolve(schema);
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            // Only "this or nothing" is made of types.
            let is_null = |choice: &&Value| choice.get("type").and_then(Value::as_str) == Some("null");
            if !value.is_null()
                && let Some(choice) = choices.iter().find(|choice| !is_null(choice))
            {
                self.compare(choice, value, place, mistakes);
            }
            return;
        }
        if let Some(sentence) = choice(schema, value) {
            mistakes.add(place, sentence);
            return;
        }
        if let Some(sentence) = wrong_type(schema, value) {
            mistakes.add(place, sentence);
            return;
        }
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(_) => mistakes_of(wrong_number(schema, value), place, mistakes),
            Value::String(text) => mistakes_of(wrong_text(schema, text), place, mistakes),
            Value::Array(list) => self.compare_list(schema, list, place, mistakes),
            Value::Object(map) => self.compare_object(schema, map, place, mistakes),
        }
    }

    fn compare_list(&self, schema: &'a Value, list: &[Value], place: &str, mistakes: &mut Mistakes) {
        mistakes_of(wrong_count(schema, "Items", list.len(), "entries"), place, mistakes);
        let most = limit(schema, "maxItems").unwrap_or(u64::MAX);
        let Some(items) = schema.get("items") else { return };
        for (number, item) in (0..most).zip(list) {
            self.compare(items, item, &below(place, number), mistakes);
        }
        let is_set = schema.get("uniqueItems").and_then(Value::as_bool) == Some(true);
        let again = list
            .iter()
            .enumerate()
            .find(|(number, item)| is_set && list.iter().take(*number).any(|i| i == *item));
        if let Some((number, _)) = again {
            mistakes.add(below(place, number), "it is there twice; once is enough");
        }
    }

    fn compare_object(
        &self,
        schema: &'a Value,
        map: &Map<String, Value>,
        place: &str,
        mistakes: &mut Mistakes,
    ) {
        mistakes_of(wrong_count(schema, "Properties", map.len(), "entries"), place, mistakes);
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str).filter(|name| !map.contains_key(*name)) {
            let what =
                properties.and_then(|known| known.get(name)).and_then(|known| known.get("description"));
            let what =
                what.and_then(Value::as_str).and_then(|text| text.lines().next()).unwrap_or("it is needed");
            mistakes.add(below(place, name), format!("it is missing: {}", what.trim_end_matches('.')));
        }
        for (name, value) in map {
            let place = below(place, name);
            if let Some(known) = properties.and_then(|known| known.get(name)) {
                self.compare(known, value, &place, mistakes);
                continue;
            }
            match schema.get("additionalProperties") {
                Some(others @ Value::Object(_)) => {
                    if let Some(names) = schema.get("propertyNames") {
                        let key = Value::String(name.clone());
                        self.compare(names, &key, &place, mistakes);
                    }
                    self.compare(others, value, &place, mistakes);
                }
                _ => {
                    let known: Vec<_> =
                        properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                    let sentence = format!("there is no such key; known here are {}", known.join(", "));
                    mistakes.add(place, sentence);
                }
            }
        }
    }
}

fn mistakes_of(sentence: Option<String>, place: &str, mistakes: &mut Mistakes) {
    if let Some(sentence) = sentence {
        mistakes.add(place, sentence);
    }
}

/// What is wrong where only some values may be.
fn choice(schema: &Value, value: &Value) -> Option<String> {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    let constants = list("oneOf").filter_map(|one| one.get("const")).chain(schema.get("const"));
    let choices: Vec<&Value> = list("enum").chain(constants).collect();
    if choices.is_empty() || choices.contains(&value) {
        return None;
    }
    let shown: Vec<_> = choices.iter().map(ToString::to_string).collect();
    Some(format!("{} is not known here; write {}", shown_value(value), shown.join(" or ")))
}

fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    let wanted = schema.get("type")?;
    let several = wanted.as_array().into_iter().flatten().filter_map(Value::as_str);
    let wanted: Vec<&str> = several.chain(wanted.as_str()).collect();
    let is = |name: &&str| match *name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    if wanted.iter().any(is) {
        return None;
    }
    let name = match wanted.first().copied().unwrap_or_default() {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "string" => "a text",
        "array" => "a list in [ ]",
        _ => "an object in { }",
    };
    Some(format!("{} is here; write {name}", shown_value(value)))
}

fn wrong_number(schema: &Value, value: &Value) -> Option<String> {
    let (least, most) = (limit(schema, "minimum").unwrap_or(0), limit(schema, "maximum").unwrap_or(u64::MAX));
    let is_within = value.as_u64().is_some_and(|number| (least..=most).contains(&number));
    (!is_within).then(|| format!("{value} is not between {least} and {most}"))
}

fn wrong_text(schema: &Value, text: &str) -> Option<String> {
    let rule = schema.get("format").and_then(Value::as_str).and_then(rules::of_format)?;
    (!rule.takes(text)).then(|| format!("{:?} is not {}", beginning(text), rule.right))
}

fn wrong_count(schema: &Value, of: &str, count: usize, what: &str) -> Option<String> {
    let least = limit(schema, &format!("min{of}")).unwrap_or(0);
    let most = limit(schema, &format!("max{of}")).unwrap_or(u64::MAX);
    let is_within = u64::try_from(count).is_ok_and(|count| (least..=most).contains(&count));
    (!is_within).then(|| match most {
        u64::MAX => format!("it has {count} {what}; at least {least} must be there"),
        _ => format!("it has {count} {what}; {least} to {most} may be there"),
    })
}

fn limit(schema: &Value, key: &str) -> Option<u64> {
    schema.get(key).and_then(Value::as_u64)
}

fn shown_value(value: &Value) -> String {
    match value {
        Value::Null => "nothing (null)".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("{:?}", beginning(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

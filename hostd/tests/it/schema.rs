//! Holds an answer against the OpenAPI document: every member it has is described, and every member described as required is
//! there.

use hostd::api::document::CHECKED_IN;
use serde_json::Value;

/// What of `value` is not as the schema of this name says; empty when all is.
pub(crate) fn faults(value: &Value, schema: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(CHECKED_IN).unwrap();
    let reference = serde_json::json!({"$ref": format!("#/components/schemas/{schema}")});
    check(&document, &reference, value, schema)
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        return check(document, target, value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let tried: Vec<_> = choices.iter().map(|choice| check(document, choice, value, at)).collect();
        let fits = tried.iter().any(Vec::is_empty);
        return if fits { vec![] } else { vec![format!("{at} fits none of: {tried:?}")] };
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return check(document, &joined(document, parts), value, at);
    }
    let one_kind = schema["type"].as_str().into_iter();
    let several = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let kinds: Vec<&str> = one_kind.chain(several).collect();
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.contains(&kind) {
        return vec![format!("{at} is {kind}, not {kinds:?}")];
    }
    if let Some(words) = schema["enum"].as_array() {
        return if words.contains(value) {
            vec![]
        } else {
            vec![format!("{at} is {value}, not one of {words:?}")]
        };
    }
    match value {
        Value::Object(members) => check_members(document, schema, members, at),
        Value::Array(items) => {
            let each = |(index, item)| check(document, &schema["items"], item, &format!("{at}[{index}]"));
            items.iter().enumerate().flat_map(each).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    }
}

/// One object that is described in parts; a member stands in one of them.
fn joined(document: &Value, parts: &[Value]) -> Value {
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for part in parts {
        let target = part["$ref"].as_str().map(|reference| reference.trim_start_matches('#'));
        let part = target.map_or(part, |target| document.pointer(target).unwrap());
        assert_eq!(part["type"], "object", "parts that are no objects: {part}");
        properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
        required.extend(part["required"].as_array().into_iter().flatten().cloned());
    }
    serde_json::json!({"type": "object", "properties": properties, "required": required})
}

fn check_members(
    document: &Value,
    schema: &Value,
    members: &serde_json::Map<String, Value>,
    at: &str,
) -> Vec<String> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut faults: Vec<String> = required
        .filter(|name| !members.contains_key(*name))
        .map(|name| format!("{at}.{name} is missing"))
        .collect();
    for (name, value) in members {
        let described = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        match described.filter(|described| described.is_object()) {
            Some(described) => faults.extend(check(document, described, value, &format!("{at}.{name}"))),
            None => faults.push(format!("{at}.{name} is not described")),
        }
    }
    faults
}

#[test]
fn what_does_not_fit_is_found() {
    let rule = serde_json::json!({"name": "a", "words": "b", "allows": true, "packets": 1, "bytes": 2});
    assert_eq!(faults(&rule, "Rule"), Vec::<String>::new());
    let mut strange = rule.clone();
    strange["more"] = true.into();
    assert_eq!(faults(&strange, "Rule"), ["Rule.more is not described"]);
    strange = rule;
    strange["packets"] = "1".into();
    assert_eq!(faults(&strange, "Rule").len(), 1);
    assert_eq!(faults(&serde_json::json!({}), "Rule").len(), 5);
    assert_eq!(faults(&serde_json::json!("maybe"), "Answer").len(), 1);
}

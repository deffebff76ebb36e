//! A structural schema, checked in the API server's words: types, required and unknown fields,
//! bounds, lengths, enums, instants, keys of list-maps.
//!
//! Only what the definitions of this crate use; a keyword that is new in them and unknown here makes
//! `every_keyword_of_our_schemas_is_checked` fail.

use crate::validate::Problem;
use chrono::DateTime;
use serde_json::{Map, Value};

/// Whether the rules can still be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// A value out of bounds: rules are checked all the same.
    Plain,
    /// A missing field, a wrong type: rules would not know what they look at.
    Blocking,
}

/// A [`Problem`] and what it means for the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) problem: Problem,
    pub(crate) severity: Severity,
}

/// What of `value` does not fit `schema`. What did not change since `old` is not said again.
pub(crate) fn check(schema: &Value, value: &Value, old: Option<&Value>) -> Vec<Finding> {
    let mut check = Check { found: Vec::new() };
    // The server knows `metadata` itself.
    check.node(schema, value, old, "", true);
    check.found
}

/// `value` without nulls where the server takes them away: at fields that have a default and are not
/// nullable.
pub(crate) fn without_pruned_nulls(schema: &Value, value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(name, field)| {
                let schema = &schema["properties"][name];
                let pruned = field.is_null() && !schema["default"].is_null() && schema["nullable"] != true;
                (!pruned).then(|| (name.clone(), without_pruned_nulls(schema, field)))
            })
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(items) => items
            .iter()
            .map(|item| without_pruned_nulls(&schema["items"], item))
            .collect(),
        other => other.clone(),
    }
}

struct Check {
    found: Vec<Finding>,
}

impl Check {
    fn refuse(&mut self, severity: Severity, path: &str, message: String) {
        let problem = Problem {
            field: path.to_owned(),
            message,
        };
        self.found.push(Finding { problem, severity });
    }

    fn node(&mut self, schema: &Value, value: &Value, old: Option<&Value>, path: &str, is_root: bool) {
        if old == Some(value) || (value.is_null() && schema["nullable"] == true) {
            return;
        }
        let wanted = schema["type"].as_str().unwrap_or_default();
        let is = type_of(value);
        let either = schema["x-kubernetes-int-or-string"] == true && matches!(is, "integer" | "string");
        let fits = wanted.is_empty() || wanted == is || either || (wanted == "number" && is == "integer");
        if !fits {
            self.refuse(
                Severity::Blocking,
                path,
                format!("must be of type {wanted}: \"{is}\""),
            );
            return;
        }
        self.word(schema, value, path);
        match value {
            Value::Object(fields) => self.object(schema, fields, old, path, is_root),
            Value::Array(items) => self.list(schema, items, old, path),
            Value::String(text) => self.text(schema, text, path),
            Value::Number(_) => self.number(schema, value, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn object(
        &mut self,
        schema: &Value,
        fields: &Map<String, Value>,
        old: Option<&Value>,
        path: &str,
        is_root: bool,
    ) {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !fields.contains_key(name) {
                self.refuse(Severity::Blocking, &join(path, name), "Required value".to_owned());
            }
        }
        let (known, others) = (&schema["properties"], &schema["additionalProperties"]);
        for (name, field) in fields {
            let is_servers_own = is_root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata");
            if is_servers_own {
                continue;
            }
            let path = join(path, name);
            let old = old.and_then(|old| old.get(name));
            match (known.get(name), others.is_object()) {
                (Some(schema), _) => self.node(schema, field, old, &path, false),
                (None, true) => self.node(others, field, old, &path, false),
                (None, false) => self.refuse(Severity::Plain, &path, "unknown field".to_owned()),
            }
        }
    }

    fn list(&mut self, schema: &Value, items: &[Value], old: Option<&Value>, path: &str) {
        if let Some(most) = schema["maxItems"].as_u64()
            && items.len() as u64 > most
        {
            let message = format!("Too many: {}: must have at most {most} items", items.len());
            self.refuse(Severity::Blocking, path, message);
        }
        let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let key = |item: &Value| -> Vec<Value> { keys.iter().map(|key| item[*key].clone()).collect() };
        let olds = old.and_then(Value::as_array);
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if !keys.is_empty() && items[..index].iter().any(|earlier| key(earlier) == key(item)) {
                let fields: Map<String, Value> = keys
                    .iter()
                    .map(|name| ((*name).to_owned(), item[*name].clone()))
                    .collect();
                let message = format!("Duplicate value: {}", Value::Object(fields));
                self.refuse(Severity::Plain, &path, message);
            }
            // Only items that can be told apart by keys have a past.
            let old = olds
                .filter(|_| !keys.is_empty())
                .and_then(|olds| olds.iter().find(|old| key(old) == key(item)));
            self.node(&schema["items"], item, old, &path, false);
        }
    }

    fn text(&mut self, schema: &Value, text: &str, path: &str) {
        let chars = text.chars().count() as u64;
        if let Some(least) = schema["minLength"].as_u64()
            && chars < least
        {
            self.refuse(
                Severity::Plain,
                path,
                format!("should be at least {least} chars long"),
            );
        }
        if let Some(most) = schema["maxLength"].as_u64()
            && chars > most
        {
            let message = format!("Too long: may not be more than {most} bytes");
            self.refuse(Severity::Blocking, path, message);
        }
        if schema["format"] == "date-time" && !is_instant(text) {
            let message = format!("must be of type date-time: {text:?}");
            self.refuse(Severity::Blocking, path, message);
        }
    }

    fn number(&mut self, schema: &Value, value: &Value, path: &str) {
        let number = value.as_f64().unwrap_or(f64::NAN);
        let bound = |key: &str| schema[key].as_f64();
        if let Some(least) = bound("minimum")
            && number < least
        {
            self.refuse(
                Severity::Plain,
                path,
                format!("should be greater than or equal to {least}"),
            );
        }
        if let Some(most) = bound("maximum")
            && number > most
        {
            self.refuse(
                Severity::Plain,
                path,
                format!("should be less than or equal to {most}"),
            );
        }
    }

    fn word(&mut self, schema: &Value, value: &Value, path: &str) {
        let Some(known) = schema["enum"].as_array() else {
            return;
        };
        if !known.contains(value) {
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            let message = format!(
                "Unsupported value: {value}: supported values: {}",
                known.join(", ")
            );
            self.refuse(Severity::Blocking, path, message);
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// RFC 3339 with a `T`, as the server has it; chrono alone would let a blank pass.
fn is_instant(text: &str) -> bool {
    matches!(text.as_bytes().get(10), Some(b'T' | b't')) && DateTime::parse_from_rfc3339(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crds;
    use serde_json::json;

    /// Keywords that are checked here, by the rules' engine, or say nothing about a value.
    const KNOWN: [&str; 24] = [
        "type",
        "properties",
        "additionalProperties",
        "items",
        "required",
        "nullable",
        "enum",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "maxItems",
        "format",
        "default",
        "description",
        "x-kubernetes-validations",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-int-or-string",
        "title",
        "x-kubernetes-map-type",
        "example",
        "externalDocs",
        "uniqueItems",
    ];

    fn keywords(schema: &Value, unknown: &mut Vec<String>) {
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            if !KNOWN.contains(&keyword.as_str()) {
                unknown.push(keyword.clone());
            }
            match keyword.as_str() {
                "properties" => value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .for_each(|(_, field)| keywords(field, unknown)),
                "items" | "additionalProperties" => keywords(value, unknown),
                _ => {}
            }
        }
    }

    #[test]
    fn every_keyword_of_our_schemas_is_checked() {
        for crd in crds() {
            let crd = serde_json::to_value(crd).unwrap();
            let mut unknown = Vec::new();
            keywords(
                &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"],
                &mut unknown,
            );
            assert!(unknown.is_empty(), "{unknown:?}");
        }
    }

    #[test]
    fn what_did_not_change_is_not_said_again() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 5}, "b": {"type": "integer"}}});
        let old = json!({"a": 1, "b": 1});
        assert_eq!(check(&schema, &old, None).len(), 1);
        assert!(check(&schema, &json!({"a": 1, "b": 2}), Some(&old)).is_empty());
        assert_eq!(check(&schema, &json!({"a": 2, "b": 1}), Some(&old)).len(), 1);
    }

    #[test]
    fn an_instant_has_an_offset_and_a_t() {
        assert!(is_instant("2026-12-01T10:55:00Z") && is_instant("2026-12-01T20:00:00.5+09:00"));
        assert!(
            !is_instant("2026-12-01 10:55:00Z") && !is_instant("2026-12-01T10:55:00") && !is_instant("soon")
        );
    }
}

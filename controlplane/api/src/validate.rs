//! The API server's answers without an API server: schema and CEL rules of the definitions, checked
//! here in its order and words.
//!
//! What it does not know: names that are taken, RBAC, admission plugins, and what the operator finds
//! out later (a target that does not exist). `operator/tests` holds it against the real server on
//! generated objects; where the two differ, that test fails.

use crate::schema::{self, Severity};
use crate::{GROUP, LoadRun, TicketSale};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use kube::core::cel;
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// Longest name of an object, and what it may consist of, in the server's words.
const NAME_BYTES_MAX: usize = 253;
const NAME_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
    '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for \
    validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
/// Said when what is wrong is so wrong that the rules were not looked at.
const RULES_NOT_CHECKED: &str = "some validation rules were not checked because the object was invalid; \
    correct the existing errors to complete validation";

/// Something the API server refuses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The field as a path, as in `spec.targets[1].peak`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// What the API server would refuse about `new`; with `old`, about changing `old` into it. Empty: it
/// takes it. `old` is taken as it is, as something the server holds.
///
/// # Panics
/// Never: resources of this crate always become JSON.
#[must_use]
pub fn validate<K: CustomResourceExt + Serialize>(new: &K, old: Option<&K>) -> Vec<Problem> {
    // A resource of this crate that is no JSON would be a bug that every test of it shows.
    let json = |object: &K| serde_json::to_value(object).unwrap_or_default();
    against(&K::crd(), &json(new), old.map(json).as_ref())
}

/// As [`validate`], for a document as people write it: also finds missing and unknown fields, wrong
/// types and words that are none. Tells the resource by `kind`.
#[must_use]
pub fn validate_document(new: &Value, old: Option<&Value>) -> Vec<Problem> {
    let problem = |field: &str, message: String| {
        vec![Problem {
            field: field.to_owned(),
            message,
        }]
    };
    let version = new["apiVersion"].as_str().unwrap_or_default();
    let known = format!("{GROUP}/v1alpha1");
    if version != known {
        return problem("apiVersion", format!("is {version:?}; known is {known:?}"));
    }
    match new["kind"].as_str() {
        Some("TicketSale") => against(&TicketSale::crd(), new, old),
        Some("LoadRun") => against(&LoadRun::crd(), new, old),
        other => problem(
            "kind",
            format!(
                "is {:?}; known are TicketSale and LoadRun",
                other.unwrap_or_default()
            ),
        ),
    }
}

fn against(crd: &CustomResourceDefinition, new: &Value, old: Option<&Value>) -> Vec<Problem> {
    let schema = crd
        .spec
        .versions
        .first()
        .and_then(|version| version.schema.as_ref());
    let schema = schema.and_then(|schema| serde_json::to_value(&schema.open_api_v3_schema).ok());
    let Some(schema) = schema else { return Vec::new() };
    let new = cel::apply_defaults(&schema, &schema::without_pruned_nulls(&schema, new));
    let old = old.map(|old| cel::apply_defaults(&schema, old));

    let mut problems = metadata(&new);
    let found = schema::check(&schema, &new, old.as_ref());
    let blocked = found.iter().any(|finding| finding.severity == Severity::Blocking);
    problems.extend(found.into_iter().map(|finding| finding.problem));
    if blocked {
        problems.push(Problem {
            field: "<nil>".to_owned(),
            message: RULES_NOT_CHECKED.to_owned(),
        });
    } else {
        problems.extend(rules(&schema, &new, old.as_ref()));
    }
    problems
}

fn rules(schema: &Value, new: &Value, old: Option<&Value>) -> Vec<Problem> {
    match cel::Validator::new().validate(schema, new, old) {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .into_vec()
            .into_iter()
            .map(|error| Problem {
                field: error.field_path.trim_start_matches('.').to_owned(),
                message: error.message,
            })
            .collect(),
    }
}

fn metadata(object: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |message: String| {
        problems.push(Problem {
            field: "metadata.name".to_owned(),
            message,
        });
    };
    match (
        object["metadata"]["name"].as_str(),
        object["metadata"]["generateName"].as_str(),
    ) {
        (None | Some(""), None | Some("")) => {
            refuse("Required value: name or generateName is required".to_owned());
        }
        (Some(name), _) if !name.is_empty() => {
            if name.len() > NAME_BYTES_MAX {
                refuse(format!("must be no more than {NAME_BYTES_MAX} bytes"));
            }
            if !is_subdomain(name) {
                refuse(NAME_RULE.to_owned());
            }
        }
        _ => {}
    }
    problems
}

fn is_subdomain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.split('.').all(|label| {
        label.chars().all(|c| plain(c) || c == '-') && label.starts_with(plain) && label.ends_with(plain)
    })
}

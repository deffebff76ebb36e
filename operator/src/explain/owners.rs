//! Who owns which field, from an object's managedFields. Kubernetes keeps them as nested JSON
//! (`f:spec: {f:replicas: {}}`); people think in paths.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;
use std::collections::BTreeMap;

/// Field by path, with the managers that own it, in order.
pub type Owners = BTreeMap<String, Vec<String>>;

/// The owners of the fields in `entries` at which `wanted` looks; a wanted path is not looked into any
/// further.
#[must_use]
pub fn owners(entries: &[ManagedFieldsEntry], wanted: impl Fn(&str) -> bool) -> Owners {
    let mut all = Owners::new();
    for entry in entries {
        let manager = entry.manager.clone().unwrap_or_else(|| "nobody".to_owned());
        let manager = match entry.operation.as_deref() {
            Some("Apply") => format!("{manager} (apply)"),
            _ => manager,
        };
        let Some(fields) = &entry.fields_v1 else { continue };
        let mut note = |path: &str| {
            let owners = all.entry(path.to_owned()).or_default();
            if !owners.contains(&manager) {
                owners.push(manager.clone());
                owners.sort();
            }
        };
        walk(&fields.0, "", &wanted, &mut note);
    }
    all
}

fn walk(fields: &Value, path: &str, wanted: &impl Fn(&str) -> bool, note: &mut impl FnMut(&str)) {
    for (key, inner) in fields.as_object().into_iter().flatten() {
        // `.` is the field itself, `k:` and `v:` are items of lists.
        let Some(name) = key.strip_prefix("f:") else {
            continue;
        };
        let path = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        if wanted(&path) {
            note(&path);
        } else {
            walk(inner, &path, wanted, note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn owners_are_told_by_path_and_everybody_once() {
        let entry = |manager: &str, operation: &str, fields: Value| -> ManagedFieldsEntry {
            serde_json::from_value(json!({
                "manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields
            }))
            .unwrap()
        };
        let entries = [
            entry(
                "kubectl",
                "Apply",
                json!({"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {}}}}),
            ),
            entry(
                "urr-operator",
                "Apply",
                json!({
                    "f:metadata": {"f:annotations": {"f:urr.guru/scaled-for": {}}},
                    "f:spec": {".": {}, "f:replicas": {}}
                }),
            ),
            entry(
                "kube-controller-manager",
                "Update",
                json!({"f:status": {"f:replicas": {}}}),
            ),
        ];
        let found = owners(&entries, |path| {
            path == "spec.replicas" || path.starts_with("metadata.annotations.")
        });
        let told: Vec<_> = found
            .iter()
            .map(|(path, by)| format!("{path}: {}", by.join(", ")))
            .collect();
        assert_eq!(
            told,
            [
                "metadata.annotations.urr.guru/scaled-for: urr-operator (apply)",
                "spec.replicas: kubectl (apply), urr-operator (apply)"
            ]
        );
    }
}

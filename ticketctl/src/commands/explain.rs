//! `ticketctl explain`: what a field means, from the schemas themselves.

use super::{Done, print, say, show};
use crate::{
    exit::Exit,
    failure::Failure,
    output::{Format, Table},
};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Which field.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ticketctl explain                              what can be explained
  ticketctl explain ticketsale.spec.admission
  ticketctl explain scenario.crowd.arrivals
  ticketctl explain loadrun --recursive")]
pub(crate) struct Args {
    /// A kind (ticketsale, loadrun, scenario) and a path in it.
    pub(crate) field: Option<String>,
    /// Every field below it too.
    #[arg(long, short = 'R')]
    pub(crate) recursive: bool,
    /// table, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Explains.
pub(crate) fn run(args: &Args) -> Done {
    let Some(field) = &args.field else {
        let mut table = Table::new(&["KIND", "IS"], &[]);
        for (name, schema) in kinds() {
            table.row(vec![name.into(), first_sentence(&text_of(&schema)).into()]);
        }
        print(&table.render(false, true));
        return Ok(Exit::Ok);
    };
    let (root, here) = look_up(field)?;
    if args.recursive {
        say(field);
        tree(&root, &here, 1);
        return Ok(Exit::Ok);
    }
    let json = json!({"field": field, "type": type_of(&root, &here), "text": text_of(&here), "schema": resolved(&root, &here)});
    show(&args.output, &json, || tell(field, &root, &here))?;
    Ok(Exit::Ok)
}

/// The schema of `field`, and of the kind it is in.
fn look_up(field: &str) -> Result<(Value, Value), Failure> {
    let mut steps = field.split('.');
    let kind = steps.next().unwrap_or_default().to_lowercase();
    let kind = kind.strip_suffix('s').filter(|k| known(k)).unwrap_or(&kind);
    let root = kinds()
        .into_iter()
        .find(|(name, _)| *name == kind || short(name) == kind)
        .map(|(_, schema)| schema)
        .ok_or_else(|| {
            let names: Vec<&str> = kinds().iter().map(|(name, _)| *name).collect();
            Failure::new(Exit::NotFound, format!("there is no kind `{kind}`"))
                .remedy(format!("there are {}", names.join(", ")))
        })?;
    let mut here = root.clone();
    for step in steps {
        let fields = fields(&root, &here);
        let found = fields.iter().find(|(name, ..)| name == step);
        let Some((_, schema, _)) = found else {
            let names: Vec<&str> = fields.iter().map(|(name, ..)| name.as_str()).collect();
            return Err(
                Failure::new(Exit::NotFound, format!("`{field}`: there is no `{step}`")).remedy(
                    if names.is_empty() {
                        "it has no fields".to_owned()
                    } else {
                        format!("there are {}", names.join(", "))
                    },
                ),
            );
        };
        here = schema.clone();
    }
    Ok((root, here))
}

fn known(kind: &str) -> bool {
    kinds().iter().any(|(name, _)| *name == kind)
}

fn short(kind: &str) -> &'static str {
    match kind {
        "ticketsale" => "ts",
        "loadrun" => "lr",
        _ => "",
    }
}

/// Every kind with its schema.
fn kinds() -> Vec<(&'static str, Value)> {
    let scenario = ("scenario", urr_loadgen::Scenario::json_schema());
    cluster_kinds().chain([scenario]).collect()
}

#[cfg(feature = "cluster")]
fn cluster_kinds() -> impl Iterator<Item = (&'static str, Value)> {
    let kinds = ["ticketsale", "loadrun"].into_iter().zip(urr_api::crds());
    kinds.filter_map(|(name, definition)| {
        let version = definition.spec.versions.into_iter().next()?;
        let schema = version.schema?.open_api_v3_schema?;
        Some((name, serde_json::to_value(schema).ok()?))
    })
}

#[cfg(not(feature = "cluster"))]
fn cluster_kinds() -> impl Iterator<Item = (&'static str, Value)> {
    std::iter::empty()
}

/// `schema` with what it refers to.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut here = schema;
    // No schema refers to itself this often; a bound all the same.
    for _ in 0..8 {
        let Some(target) = here["$ref"].as_str() else {
            return here;
        };
        let pointer = target.trim_start_matches('#');
        match root.pointer(pointer) {
            Some(next) => here = next,
            None => return here,
        }
    }
    here
}

/// Names, schemas and whether they are required: of an object its properties, of a list its items',
/// of a choice all that may be chosen.
fn fields(root: &Value, schema: &Value) -> Vec<(String, Value, bool)> {
    let here = resolved(root, schema);
    let mut found = Vec::new();
    if let Some(properties) = here["properties"].as_object() {
        let required = here["required"].as_array();
        for (name, property) in properties {
            let is_required = required.is_some_and(|all| all.iter().any(|one| one == name));
            found.push((name.clone(), property.clone(), is_required));
        }
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        for one in here[choice].as_array().into_iter().flatten() {
            // A choice by key carries its text beside the key.
            let text = text_of(one);
            found.extend(fields(root, one).into_iter().map(|(name, mut schema, required)| {
                if text_of(&schema).is_empty() && !text.is_empty() {
                    schema["description"] = text.clone().into();
                }
                (name, schema, required)
            }));
        }
    }
    if !here["items"].is_null() {
        found.extend(fields(root, &here["items"]));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.dedup_by(|a, b| a.0 == b.0);
    found
}

/// What the schema says of itself, or of what it refers to.
fn text_of(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().to_owned()
}

fn full_text(root: &Value, schema: &Value) -> String {
    let own = text_of(schema);
    let there = text_of(resolved(root, schema));
    let of_items = text_of(resolved(root, &resolved(root, schema)["items"]));
    let mut parts = vec![own];
    for part in [there, of_items] {
        if !part.is_empty() && !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn type_of(root: &Value, schema: &Value) -> String {
    let here = resolved(root, schema);
    let kind = match &here["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .filter(|kind| *kind != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        _ if here["oneOf"].is_array() || here["anyOf"].is_array() => "one of several".to_owned(),
        _ if here["x-kubernetes-int-or-string"] == true => "integer or string".to_owned(),
        _ => "any".to_owned(),
    };
    if kind == "array" && !here["items"].is_null() {
        return format!("list of {}", type_of(root, &here["items"]));
    }
    match here["format"].as_str() {
        Some(format) if kind == "string" => format!("{kind} ({format})"),
        _ => kind,
    }
}

fn tell(field: &str, root: &Value, schema: &Value) -> String {
    let here = resolved(root, schema);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{field}  <{}>\n", type_of(root, schema));
    for line in full_text(root, schema).lines() {
        let _ = writeln!(out, "  {line}");
    }
    for (name, key) in [
        ("default", "default"),
        ("at least", "minimum"),
        ("at most", "maximum"),
        ("longest", "maxLength"),
        ("most items", "maxItems"),
        ("pattern", "pattern"),
    ] {
        if !here[key].is_null() {
            let _ = writeln!(out, "  {name}: {}", here[key]);
        }
    }
    if let Some(words) = here["enum"].as_array() {
        let words: Vec<String> = words.iter().map(Value::to_string).collect();
        let _ = writeln!(out, "  one of: {}", words.join(", "));
    }
    for choice in here["oneOf"].as_array().into_iter().flatten() {
        if let Some(word) = choice["const"].as_str() {
            let _ = writeln!(out, "  {word}: {}", first_sentence(&text_of(choice)));
        }
    }
    for rule in here["x-kubernetes-validations"].as_array().into_iter().flatten() {
        if let Some(message) = rule["message"].as_str() {
            let _ = writeln!(out, "  rule: {message}");
        }
    }
    let fields = fields(root, schema);
    if !fields.is_empty() {
        let mut table = Table::new(&["FIELD", "TYPE", "IS"], &[]);
        for (name, schema, required) in &fields {
            let star = if *required { "*" } else { "" };
            table.row(vec![
                format!("{name}{star}").into(),
                type_of(root, schema).into(),
                first_sentence(&full_text(root, schema)).into(),
            ]);
        }
        let _ = write!(out, "\n{}\n(* is required)\n", table.render(false, true));
    }
    out
}

fn tree(root: &Value, schema: &Value, depth: usize) {
    /// No resource is deeper.
    const DEEPEST: usize = 12;
    for (name, schema, required) in fields(root, schema) {
        let star = if required { "*" } else { "" };
        say(&format!(
            "{}{name}{star} <{}> {}",
            "  ".repeat(depth),
            type_of(root, &schema),
            first_sentence(&full_text(root, &schema))
        ));
        if depth < DEEPEST {
            tree(root, &schema, depth + 1);
        }
    }
}

fn first_sentence(text: &str) -> String {
    let line = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    match line.find(". ") {
        Some(end) => line[..=end].to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Paths of fields without a word of explanation.
    fn unexplained(root: &Value, schema: &Value, path: &str, found: &mut Vec<String>) {
        for (name, schema, _) in fields(root, schema) {
            let path = format!("{path}.{name}");
            // Kubernetes' own metadata is Kubernetes' to explain.
            if full_text(root, &schema).is_empty() && !path.ends_with(".metadata") {
                found.push(path.clone());
            }
            if path.matches('.').count() < 12 {
                unexplained(root, &schema, &path, found);
            }
        }
    }

    #[test]
    fn every_field_of_every_kind_is_explained() {
        let mut found = Vec::new();
        for (kind, schema) in kinds() {
            unexplained(&schema, &schema, kind, &mut found);
            assert!(!fields(&schema, &schema).is_empty(), "{kind}");
        }
        // `apiVersion` and `kind` are the same everywhere and have no text of ours.
        found.retain(|path| !path.ends_with(".apiVersion") && !path.ends_with(".kind"));
        assert!(found.is_empty(), "without a text: {found:#?}");
    }

    /// Every name that stands under `properties` anywhere in a schema, with its text.
    fn written(schema: &Value, found: &mut BTreeSet<(String, String)>) {
        match schema {
            Value::Object(keys) => {
                for (key, value) in keys {
                    if let ("properties", Some(properties)) = (key.as_str(), value.as_object()) {
                        let told = properties.iter();
                        found.extend(told.map(|(name, schema)| (name.clone(), text_of(schema))));
                    }
                    written(value, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| written(item, found)),
            _ => {}
        }
    }

    /// Every path that can be asked for, with the text its schema carries itself.
    fn reachable(root: &Value, schema: &Value, path: &str, found: &mut Vec<(String, String)>) {
        for (name, schema, _) in fields(root, schema) {
            let path = format!("{path}.{name}");
            found.push((path.clone(), text_of(&schema)));
            assert!(
                path.matches('.').count() < 12,
                "{path} is deeper than a page shows"
            );
            reachable(root, &schema, &path, found);
        }
    }

    #[test]
    fn whatever_stands_in_a_schema_can_be_asked_for() {
        for (kind, schema) in kinds() {
            let mut paths = Vec::new();
            reachable(&schema, &schema, kind, &mut paths);
            let mut missing = BTreeSet::new();
            written(&schema, &mut missing);
            assert!(paths.len() >= missing.len() && missing.len() > 20, "{kind}");
            for (path, text) in &paths {
                let name = path.rsplit('.').next().unwrap().to_owned();
                missing.remove(&(name.clone(), text.clone()));
                // A choice by key is told with the choice's own text.
                missing.remove(&(name, String::new()));
                let (_, found) = look_up(path).unwrap_or_else(|failure| panic!("{failure}"));
                assert!(!tell(path, &schema, &found).is_empty());
            }
            assert!(
                missing.is_empty(),
                "{kind}: in the schema and out of reach: {missing:#?}"
            );
        }
    }

    fn explained(field: &str) -> Result<(), String> {
        look_up(field).map(|_| ()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn fields_are_found_by_path_and_what_is_not_there_says_what_is() {
        assert!(explained("scenario.sale.hall").is_ok());
        assert!(explained("scenario.crowd.personas.buys.think").is_ok());
        let refused = explained("scenario.sale.hal").unwrap_err();
        assert!(refused.contains("hall"), "{refused}");
        assert!(explained("sale").unwrap_err().contains("scenario"));
        #[cfg(feature = "cluster")]
        {
            assert!(explained("ts.spec.schedule.opensAt").is_ok());
            assert!(explained("TicketSales.spec.admission").is_ok());
        }
    }
}

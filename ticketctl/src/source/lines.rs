//! Where in a YAML text a field stands, for carets. Typed readers lose the places of what they
//! accept, so the text is read once more as a tree that keeps them.

use serde::{
    Deserialize,
    de::{self, Deserializer, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use serde_yaml::{Location, Spanned};
use std::fmt;
use urr_loadgen::scenario::Place;

/// A node with the places of everything in it.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// Keys and values.
    Map(Vec<(String, Place, Held)>),
    /// Items.
    List(Vec<Held>),
    /// A scalar.
    Leaf(Value),
}

/// A node and where it begins.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// Where.
    pub(crate) at: Place,
    /// What.
    pub(crate) node: Node,
}

impl Node {
    /// The tree of one document.
    pub(crate) fn of(text: &str) -> Result<Held, serde_yaml::Error> {
        let options = serde_yaml::options! { with_snippet: false };
        let spanned: Spanned<Self> = serde_yaml::from_str_with_options(text, options)?;
        Ok(held(spanned))
    }

    /// The same without places.
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, _, held)| (key.clone(), held.node.value()))
                    .collect(),
            ),
            Self::List(items) => Value::Array(items.iter().map(|held| held.node.value()).collect()),
            Self::Leaf(value) => value.clone(),
        }
    }
}

impl Held {
    /// Where the value at `path` (`spec.schedule.opensAt`, `spec.targets[0].name`) stands; of what
    /// is missing, where its block begins.
    pub(crate) fn place_of(&self, path: &str) -> Place {
        let mut here = self;
        let mut at = self.at;
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let step = step.trim_end_matches(']');
            let next = match &here.node {
                Node::Map(entries) => {
                    entries
                        .iter()
                        .find(|(key, ..)| key == step)
                        .map(|(_, key_at, held)| {
                            // A block is pointed at by its key, a scalar by itself.
                            at = if matches!(held.node, Node::Leaf(_)) {
                                held.at
                            } else {
                                *key_at
                            };
                            held
                        })
                }
                Node::List(items) => {
                    step.parse()
                        .ok()
                        .and_then(|nth: usize| items.get(nth))
                        .inspect(|held| {
                            at = held.at;
                        })
                }
                Node::Leaf(_) => None,
            };
            let Some(next) = next else { return at };
            here = next;
        }
        at
    }
}

fn held(spanned: Spanned<Node>) -> Held {
    Held {
        at: place(spanned.referenced),
        node: spanned.value,
    }
}

fn place(location: Location) -> Place {
    Place::from(location)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Spanned<Node>>()? {
            items.push(held(item));
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let value: Spanned<Node> = map.next_value()?;
            entries.push((key.value, place(key.referenced), held(value)));
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "kind: X\nspec:\n  seats: 12\n  targets:\n    - name: a\n    - name: bb\n  on: true\n";

    #[test]
    fn every_field_has_its_place() {
        let tree = Node::of(TEXT).unwrap();
        let at = |path| {
            let Place { line, column, .. } = tree.place_of(path);
            (line, column)
        };
        assert_eq!(at("spec.seats"), (3, 10));
        assert_eq!(at("spec.targets[1].name"), (6, 13));
        assert_eq!(at("spec.nowhere"), (2, 1), "the block that lacks it");
        assert_eq!(at("spec"), (2, 1));
        let value = tree.node.value();
        assert_eq!(value["spec"]["targets"][1]["name"], "bb");
        assert_eq!(value["spec"]["on"], true);
        assert_eq!(value["spec"]["seats"], 12);
    }
}

//! `jsonpath` templates as kubectl has them: text with expressions in braces, such as
//! `{.sales[*].name}{"\n"}`. Expressions are RFC 9535 paths whose `$` may be left out.

use crate::{exit::Exit, failure::Failure};
use serde_json::Value;
use serde_json_path::JsonPath;

/// A parsed template.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    parts: Vec<Part>,
    text: String,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Path(JsonPath),
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Template {}

impl Template {
    /// Reads a template; a sentence on what is wrong with it otherwise.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // kubectl takes a bare path too.
        let braced = if text.contains('{') {
            text.to_owned()
        } else {
            format!("{{{text}}}")
        };
        let mut parts = Vec::new();
        let mut rest = braced.as_str();
        while !rest.is_empty() {
            let Some(open) = rest.find('{') else {
                parts.push(Part::Text(rest.to_owned()));
                break;
            };
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            let inside = &rest[open + 1..];
            let close =
                end_of_expression(inside).ok_or_else(|| format!("`{text}`: a brace is not closed"))?;
            parts.push(Part::parse(inside[..close].trim())?);
            rest = &inside[close + 1..];
        }
        Ok(Self {
            parts,
            text: text.to_owned(),
        })
    }

    /// The template with what it names of `document`; several values are separated by blanks.
    pub(crate) fn fill(&self, document: &Value) -> Result<String, Failure> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Path(path) => {
                    let found = path.query(document).all();
                    if found.is_empty() {
                        return Err(Failure::new(Exit::NotFound, format!("nothing is at {path}"))
                            .remedy("look at the whole document with -o json"));
                    }
                    let words: Vec<String> = found.into_iter().map(plain).collect();
                    out.push_str(&words.join(" "));
                }
            }
        }
        Ok(out)
    }
}

impl Part {
    fn parse(expression: &str) -> Result<Self, String> {
        if expression.starts_with('"') {
            return serde_json::from_str(expression)
                .map(Self::Text)
                .map_err(|error| format!("`{expression}`: {error}"));
        }
        let path = match expression.chars().next() {
            Some('$') => expression.to_owned(),
            Some('.' | '[') => format!("${expression}"),
            _ => format!("$.{expression}"),
        };
        JsonPath::parse(&path)
            .map(Self::Path)
            .map_err(|error| format!("`{expression}`: {error}"))
    }
}

/// Where the brace that ends the expression is; braces in quotes do not count.
fn end_of_expression(text: &str) -> Option<usize> {
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

/// Strings without their quotes, everything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_mix_text_and_paths() {
        let document =
            json!({"a": {"b": [1, 2]}, "s": "x", "list": [{"k": "v", "on": true}, {"k": "w", "on": false}]});
        let fill = |text: &str| Template::parse(text).unwrap().fill(&document);
        assert_eq!(fill("{.a.b[*]}").unwrap(), "1 2");
        assert_eq!(fill(".s").unwrap(), "x");
        assert_eq!(fill("s").unwrap(), "x");
        assert_eq!(fill(r#"s={.s}{"\n"}b={.a.b[0]}"#).unwrap(), "s=x\nb=1");
        assert_eq!(fill("{.list[?@.on==true].k}").unwrap(), "v");
        assert_eq!(fill("{.nowhere}").unwrap_err().exit, Exit::NotFound);
        assert!(Template::parse("{.a").unwrap_err().contains("not closed"));
        assert!(Template::parse("{.a[}").is_err());
    }
}

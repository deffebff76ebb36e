//! How data is printed: `-o table|wide|json|yaml|name|jsonpath=...`. Data goes to stdout and is
//! the same whoever reads it; tables may change, the others are versioned by `apiVersion`.

mod path;
mod table;

pub(crate) use table::{Cell, Table};

use crate::failure::Failure;
use path::Template;
use serde_json::Value;
use std::{fmt, io::IsTerminal as _, str::FromStr};

/// A value of `-o`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    /// Columns for people.
    Table,
    /// More columns.
    Wide,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// Only names, one a line.
    Name,
    /// Parts of the JSON document.
    JsonPath(Template),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" | "text" => Ok(Self::Table),
            "wide" => Ok(Self::Wide),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            "name" => Ok(Self::Name),
            _ => match text.strip_prefix("jsonpath=") {
                Some(template) => Template::parse(template).map(Self::JsonPath),
                None => Err("use table, wide, json, yaml, name or jsonpath='{.path}'".to_owned()),
            },
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Table => "table",
            Self::Wide => "wide",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Name => "name",
            Self::JsonPath(_) => "jsonpath=...",
        })
    }
}

impl Format {
    /// Whether people read it.
    pub(crate) const fn is_for_people(&self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }

    /// `document` in this format, without a newline at the end. `None` for what people read and for
    /// names: those are somebody else's to write.
    pub(crate) fn document(&self, document: &Value) -> Result<Option<String>, Failure> {
        match self {
            Self::Table | Self::Wide | Self::Name => Ok(None),
            Self::Json => serde_json::to_string_pretty(document)
                .map(Some)
                .map_err(|error| unprintable(&error)),
            Self::Yaml => serde_yaml::to_string(document)
                .map(|text| Some(text.trim_end().to_owned()))
                .map_err(|error| unprintable(&error)),
            Self::JsonPath(template) => template.fill(document).map(Some),
        }
    }
}

fn unprintable(error: &dyn std::error::Error) -> Failure {
    Failure::new(crate::exit::Exit::Failure, "the answer could not be printed").because(error)
}

/// Flags of verbs that list, once or for ever.
#[derive(Debug, clap::Args)]
pub(crate) struct Listing {
    /// table, wide, json, yaml, name or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Go on until interrupted and print again as it changes; in JSON a document a line.
    #[arg(long, short)]
    pub(crate) watch: bool,
    /// No headings.
    #[arg(long)]
    pub(crate) no_headers: bool,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal that wants them.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether stdout gets colours: never with a non-empty `NO_COLOR`, on a dumb terminal or into
    /// a pipe, unless asked for.
    pub(crate) fn on_stdout(self) -> bool {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                !set("NO_COLOR") && !dumb && std::io::stdout().is_terminal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn formats_are_read_as_kubectl_users_write_them() {
        assert_eq!("wide".parse(), Ok(Format::Wide));
        assert!(matches!("jsonpath={.a}".parse(), Ok(Format::JsonPath(_))));
        let refused = "jason".parse::<Format>().unwrap_err();
        assert!(refused.contains("json, yaml"), "{refused}");
    }

    #[test]
    fn a_document_is_printed_whole_or_in_part() {
        let document = json!({"sales": [{"name": "a", "rate": 5}, {"name": "b", "rate": 7}]});
        let print = |format: &str| {
            let format: Format = format.parse().unwrap();
            format.document(&document).unwrap().unwrap()
        };
        assert_eq!(print("jsonpath={.sales[1].name}"), "b");
        assert_eq!(print("jsonpath={.sales[*].rate}"), "5 7");
        assert!(print("yaml").contains("name: a"));
        assert_eq!(serde_json::from_str::<Value>(&print("json")).unwrap(), document);
    }
}

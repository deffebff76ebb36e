//! The page and its parts, put together once at start.
//!
//! The script is written in parts, one idea each, and sent as one file: a second round trip costs a
//! phone more than all of its bytes. Comments and indentation stay here.

use crate::{Config, asset::Asset};
use urr_kit::StartError;

/// What the page says, by language.
const WORDS: [(&str, &str); 2] = [
    ("en", include_str!("../assets/words/en.json")),
    ("ko", include_str!("../assets/words/ko.json")),
];

const SCRIPT: [&str; 8] = [
    include_str!("../assets/js/00-keep.js"),
    include_str!("../assets/js/10-words.js"),
    include_str!("../assets/js/20-net.js"),
    include_str!("../assets/js/30-tabs.js"),
    include_str!("../assets/js/40-say.js"),
    include_str!("../assets/js/50-view.js"),
    include_str!("../assets/js/60-line.js"),
    include_str!("../assets/js/70-main.js"),
];

/// Everything that is sent.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) page: Asset,
    pub(crate) script: Asset,
    pub(crate) style: Asset,
    pub(crate) icon: Asset,
}

impl Site {
    pub(crate) fn build(config: &Config) -> Result<Self, StartError> {
        let settings = config.for_script()?;
        let build = || -> std::io::Result<Self> {
            let script = format!(
                "(()=>{{\"use strict\";\nconst WORDS={};\n{}}})();",
                words()?,
                SCRIPT.map(lean_script).concat()
            );
            let script = Asset::new("text/javascript; charset=utf-8", script)?;
            let style = lean_style(include_str!("../assets/page.css"));
            let style = Asset::new("text/css; charset=utf-8", style)?;
            let icon = include_str!("../assets/icon.svg").trim().to_owned();
            let icon = Asset::new("image/svg+xml", icon)?;
            let page = include_str!("../assets/page.html")
                .replace("{settings}", &attribute(&settings))
                .replace("{script}", &format!("/vwr/assets/page-{}.js", script.hash))
                .replace("{style}", &format!("/vwr/assets/page-{}.css", style.hash))
                .replace("{icon}", &format!("/vwr/assets/page-{}.svg", icon.hash));
            let page = Asset::new("text/html; charset=utf-8", page)?;
            Ok(Self {
                page,
                script,
                style,
                icon,
            })
        };
        build().map_err(|error| StartError::other("the waiting page cannot be prepared", error))
    }

    /// The asset of that file name, and whether the name is of exactly this content. A page of an
    /// older release asks for its own names; it gets the present files.
    pub(crate) fn find(&self, file: &str) -> Option<(&Asset, bool)> {
        let (hash, extension) = file.strip_prefix("page-")?.split_once('.')?;
        let asset = match extension {
            "js" => &self.script,
            "css" => &self.style,
            "svg" => &self.icon,
            _ => return None,
        };
        Some((asset, asset.hash == hash))
    }
}

/// Both languages as one compact object. JSON is JavaScript, so it needs no other form.
fn words() -> std::io::Result<serde_json::Value> {
    let mut all = serde_json::Map::new();
    for (language, text) in WORDS {
        all.insert(language.to_owned(), serde_json::from_str(text)?);
    }
    Ok(all.into())
}

/// Without indentation, blank lines, lines that are comments, and spaces that only people need. Scripts here have
/// no strings over several lines.
fn lean_script(source: &str) -> String {
    let lines = lean(source.lines().filter(|line| {
        let line = line.trim_start();
        !line.starts_with("//") && !line.starts_with("/**")
    }));
    lines
        .lines()
        .flat_map(|line| [tight(line), "\n".to_owned()])
        .collect()
}

/// A line of a script in which nothing stands apart that need not. What is quoted stays as it is, and so do the
/// spaces around `+` and `-`: two of these must not meet.
fn tight(line: &str) -> String {
    const APART: [char; 15] = [
        '{', '}', '(', ')', '[', ']', ',', ';', ':', '?', '=', '<', '>', '&', '|',
    ];
    let (mut tight, mut quote) = (String::with_capacity(line.len()), None);
    let mut chars = line.chars().peekable();
    while let Some(next) = chars.next() {
        match quote {
            Some(end) if next == end => quote = None,
            None if matches!(next, '"' | '`') => quote = Some(next),
            None if next == ' ' => {
                let follows = chars.peek().is_some_and(|after| APART.contains(after));
                if follows || tight.ends_with(APART) {
                    continue;
                }
            }
            _ => {}
        }
        tight.push(next);
    }
    tight
}

fn lean_style(source: &str) -> String {
    let rules = source.split_once("*/").map_or(source, |(_comment, rules)| rules);
    let mut text = lean(rules.lines());
    // No selector and no value here differs by these spaces; those inside calc() stay.
    for (wide, narrow) in [
        (" {", "{"),
        ("{ ", "{"),
        (": ", ":"),
        ("; ", ";"),
        (";}", "}"),
        (", ", ","),
    ] {
        text = text.replace(wide, narrow);
    }
    text
}

fn lean<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Escaped for a double-quoted attribute.
fn attribute(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn site() -> Site {
        Site::build(&Config::default()).unwrap()
    }

    #[test]
    fn all_of_it_is_below_thirty_kilobytes_and_half_of_that_on_the_wire() {
        let site = site();
        let (mut plain, mut sent) = (0, 0);
        for asset in [&site.page, &site.script, &site.style, &site.icon] {
            let (bytes, compressed) = asset.sizes();
            plain += bytes;
            sent += compressed;
        }
        println!("{plain} bytes, {sent} compressed");
        assert!(plain < 30 * 1024, "{plain} bytes");
        assert!(sent < 15 * 1024, "{sent} bytes compressed");
    }

    #[test]
    fn a_script_loses_its_spaces_and_no_quoted_one() {
        for (line, lean) in [
            ("const { a } = b ? c : d;", "const{a}=b?c:d;"),
            (
                "if (a - -b > 0 && c) return x of y;",
                "if(a - -b>0&&c)return x of y;",
            ),
            ("say(\"a = b\", `${ c } : d`, e)", "say(\"a = b\",`${ c } : d`,e)"),
            ("why = /closed|nobody new/", "why=/closed|nobody new/"),
        ] {
            assert_eq!(tight(line), lean);
        }
    }

    #[test]
    fn settings_cannot_break_out_of_their_attribute() {
        assert_eq!(attribute(r#""><script>&"#), "&quot;>&lt;script>&amp;");
    }

    #[test]
    fn an_older_page_still_finds_its_script() {
        let site = site();
        let current = format!("page-{}.js", site.script.hash);
        assert!(matches!(site.find(&current), Some((_, true))));
        assert!(matches!(site.find("page-0123456789abcdef.js"), Some((_, false))));
        assert!(site.find("../Cargo.toml").is_none());
        assert!(site.find("page-x.html").is_none());
    }

    #[test]
    fn both_languages_say_the_same_things() {
        /// Every path to a text, with the places that are filled in.
        fn shape(at: &str, value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(fields) => {
                    for (key, field) in fields {
                        shape(&format!("{at}.{key}"), field, found);
                    }
                }
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        shape(&format!("{at}[{index}]"), item, found);
                    }
                }
                text => {
                    let text = text.as_str().expect("a text");
                    let filled = [text.contains("{n}"), text.contains("{m}")];
                    found.push(format!("{at} {filled:?}"));
                }
            }
        }
        let all = words().unwrap();
        let (mut english, mut korean) = (Vec::new(), Vec::new());
        shape("", &all["en"], &mut english);
        shape("", &all["ko"], &mut korean);
        assert!(english.len() > 60, "{english:?}");
        assert_eq!(english, korean);
    }
}

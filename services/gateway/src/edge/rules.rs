//! Which paths are protected, as the operator writes it: `PATH[=tier1|entry][@SALE]`.

use super::paths;
use crate::guard::Need;
use urr_core::sale::SaleId;
use urr_kit::StartError;

const VARIABLE: &str = "--protect (URR_EDGE_PROTECT)";

/// Rules are looked through for each call; a deployment has a handful.
const RULES_MAX: usize = 64;

/// One protected prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    prefix: Vec<Segment>,
    shows: Shows,
    /// The sale, where the path does not say it.
    sale: Option<SaleId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Text(String),
    Sale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    Pass,
    Entry,
}

/// Reads the rules; `sales` has the sale that is meant where a rule names none.
pub(super) fn parse(texts: &[String], sales: &[SaleId]) -> Result<Vec<Rule>, StartError> {
    let bad = |problem: String| StartError::BadSetting {
        variable: VARIABLE,
        problem,
    };
    if texts.is_empty() || texts.len() > RULES_MAX {
        return Err(bad(format!(
            "{} rules; 1 to {RULES_MAX} are possible",
            texts.len()
        )));
    }
    texts
        .iter()
        .map(|text| rule(text.trim(), sales).map_err(|problem| bad(format!("`{text}`: {problem}"))))
        .collect()
}

fn rule(text: &str, sales: &[SaleId]) -> Result<Rule, String> {
    let (text, named) = match text.split_once('@') {
        Some((text, sale)) => {
            let sale = sale.parse::<SaleId>();
            (
                text,
                Some(sale.map_err(|_| "the sale after @ is no UUID".to_owned())?),
            )
        }
        None => (text, None),
    };
    let (path, shows) = match text.split_once('=') {
        None | Some((_, "tier1")) => (text.split('=').next().unwrap_or_default(), Shows::Pass),
        Some((path, "entry")) => (path, Shows::Entry),
        Some((_, other)) => return Err(format!("`{other}` is neither tier1 nor entry")),
    };
    if !path.starts_with('/') {
        return Err("a path starts with /".to_owned());
    }
    let prefix = paths::segments(path)
        .map_err(|_| "the path has parts that servers read differently".to_owned())?
        .into_iter()
        .map(|segment| {
            if segment == "{sale}" {
                Segment::Sale
            } else {
                Segment::Text(segment)
            }
        })
        .collect::<Vec<_>>();
    let sale = match (prefix.contains(&Segment::Sale), named, sales) {
        (true, None, _) => None,
        (true, Some(_), _) => return Err("the sale stands in the path and after @".to_owned()),
        (false, Some(sale), _) => Some(sale),
        (false, None, [only]) => Some(*only),
        (false, None, _) => return Err("say which sale: @UUID, or one in --sales".to_owned()),
    };
    Ok(Rule { prefix, shows, sale })
}

impl Rule {
    pub(super) fn asks_for_entry(&self) -> bool {
        self.shows == Shows::Entry
    }

    /// What a call to these segments has to show by this rule.
    pub(super) fn need(&self, segments: &[String], is_active: impl Fn(SaleId) -> bool) -> Option<Need> {
        let mut sale = self.sale;
        if segments.len() < self.prefix.len() {
            return None;
        }
        for (wanted, found) in self.prefix.iter().zip(segments) {
            match wanted {
                Segment::Text(text) if text == found => {}
                Segment::Text(_) => return None,
                Segment::Sale => sale = Some(found.parse().ok().filter(|sale| is_active(*sale))?),
            }
        }
        let sale = sale?;
        Some(match self.shows {
            Shows::Pass => Need::Pass(sale),
            Shows::Entry => Need::Entry(Some(sale)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn sale(n: u128) -> SaleId {
        Uuid::from_u128(n)
    }

    fn need(rule: &str, path: &str) -> Option<Need> {
        let rules = parse(&[rule.to_owned()], &[sale(1)]).unwrap();
        rules[0].need(&paths::segments(path).unwrap(), |id| id == sale(1))
    }

    #[test]
    fn a_prefix_covers_what_lies_below_it_and_nothing_beside_it() {
        for path in ["/shop", "/shop/", "/shop/buy", "/SHOP/buy"] {
            assert_eq!(need("/shop", path), Some(Need::Pass(sale(1))), "{path}");
        }
        for path in ["/", "/shopping", "/a/shop"] {
            assert_eq!(need("/shop", path), None, "{path}");
        }
        assert_eq!(need("/", "/anything"), Some(Need::Pass(sale(1))));
    }

    #[test]
    fn a_sale_in_the_path_is_guarded_while_it_is_active() {
        let path = |id: SaleId| format!("/events/{id}/seats");
        assert_eq!(
            need("/events/{sale}=entry", &path(sale(1))),
            Some(Need::Entry(Some(sale(1))))
        );
        assert_eq!(need("/events/{sale}", &path(sale(2))), None);
        assert_eq!(need("/events/{sale}", "/events/new"), None);
        assert_eq!(need("/events/{sale}", "/events"), None);
    }

    #[test]
    fn unclear_rules_stop_the_start() {
        let two = [sale(1), sale(2)];
        for text in [
            "shop",
            "/shop=vip",
            "/shop@nobody",
            "/shop",
            "/e/{sale}@x",
            "/a/../b",
        ] {
            let error = parse(&[text.to_owned()], &two).unwrap_err().to_string();
            assert!(error.contains(VARIABLE), "{error}");
        }
        assert!(parse(&[], &two).is_err());
    }
}

//! TicketSales from files, judged by the very rules of the API server, with the place of each
//! problem.

use super::{
    SourceError,
    lines::{Held, Node},
};
use urr_api::{TicketSale, validate::validate_document};
use urr_core::sale::Sale;
use urr_loadgen::scenario::{Problem, Problems};
use urr_operator::mapping;

/// A sale, and how many are expected in its worst second.
pub(super) type Expected = (Sale, Option<u32>);

/// The sales in `text`: one or more documents.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Expected>, SourceError> {
    let mut sales = Vec::new();
    let mut problems = Vec::new();
    let mut broken = None;
    for (first_line, part) in documents(text) {
        match Node::of(&part) {
            Err(error) => broken = broken.or(Some((part, error))),
            Ok(tree) => match one(&tree) {
                Ok(Some(sale)) => sales.push(sale),
                Ok(None) => {}
                Err(found) => problems.extend(found.into_iter().map(|problem| later(problem, first_line))),
            },
        }
    }
    if let Some((part, error)) = broken {
        return Err(SourceError::Invalid(Problems::of_yaml(file, &part, &error)));
    }
    if problems.is_empty() {
        Ok(sales)
    } else {
        Err(SourceError::Invalid(Problems::new(file, text, problems)))
    }
}

/// Documents between `---`, each with the number of lines before it.
pub(super) fn documents(text: &str) -> Vec<(usize, String)> {
    let mut documents = vec![(0, String::new())];
    for (number, line) in text.lines().enumerate() {
        if line.trim_end() == "---" {
            documents.push((number + 1, String::new()));
        } else if let Some((_, document)) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    let is_something = |text: &str| {
        text.lines().any(|line| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        })
    };
    documents.retain(|(_, text)| is_something(text));
    documents
}

fn later(mut problem: Problem, lines: usize) -> Problem {
    if let Some(at) = &mut problem.at {
        at.line += lines;
    }
    problem
}

/// The sale in one document; `None` of a sound object that is no sale.
fn one(tree: &Held) -> Result<Option<Expected>, Vec<Problem>> {
    let document = tree.node.value();
    let refused: Vec<Problem> = validate_document(&document, None)
        .into_iter()
        .map(|problem| Problem {
            at: Some(tree.place_of(&problem.field)),
            remedy: remedy(&problem.field),
            field: problem.field,
            problem: problem.message,
        })
        .collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    if document["kind"] != "TicketSale" {
        return Ok(None);
    }
    let sale: TicketSale = serde_json::from_value(document).map_err(|error| {
        vec![Problem {
            at: Some(tree.at),
            field: String::new(),
            problem: error.to_string(),
            remedy: remedy("spec"),
        }]
    })?;
    let name = sale.metadata.name.as_deref().unwrap_or_default();
    let peak = sale
        .spec
        .crowd
        .arrival
        .as_ref()
        .map(|arrival| arrival.peak_per_second);
    let peak_per_s = peak.and_then(|peak| u32::try_from(peak).ok());
    // What the operator would say of it later.
    let mapped = mapping::sale(name, &sale.spec).map(|sale| Some((sale, peak_per_s)));
    mapped.map_err(|problems| {
        problems
            .into_iter()
            .map(|problem| Problem {
                at: Some(tree.place_of(&format!("spec.{}", problem.field))),
                field: format!("spec.{}", problem.field),
                problem: problem.problem,
                remedy: problem.remedy,
            })
            .collect()
    })
}

fn remedy(field: &str) -> String {
    let field = field.strip_prefix("<nil>").unwrap_or(field);
    format!("`ticketctl explain ticketsale.{field}` says what belongs here")
        .replace("ticketsale.` says", "ticketsale` says")
}

#[cfg(test)]
mod tests {
    use crate::source::{Source, SourceError, parse};

    const GOOD: &str = "\
apiVersion: urr.guru/v1alpha1
kind: TicketSale
metadata:
  name: club-night
spec:
  eventId: 6f1c9a52-7a0e-4c2b-9a51-3d6b0f1e2a77
  seats: 1000
  schedule:
    preQueueAt: 2026-12-01T10:55:00Z
    opensAt: 2026-12-01T20:00:00+09:00
    closesAt: 2026-12-01T13:00:00Z
  crowd:
    expectedVisitors: 5000
  admission:
    ratePerSecond: 40
  capacity:
    replicas: 4
    ratePerReplica: 10
";

    fn refused(text: &str) -> String {
        match parse("sale.yaml", text) {
            Err(SourceError::Invalid(problems)) => problems.to_string(),
            Err(SourceError::Unreadable(failure)) => failure.to_string(),
            Ok(_) => panic!("accepted"),
        }
    }

    #[test]
    fn a_sound_sale_is_read() {
        let sources = parse("sale.yaml", GOOD).unwrap();
        let [Source::Sale(sale, None)] = sources.as_slice() else {
            panic!()
        };
        assert_eq!((sale.name.as_str(), sale.seats), ("club-night", 1000));
    }

    #[test]
    fn a_rule_of_the_api_server_is_pointed_at() {
        let said = refused(&GOOD.replace("ratePerSecond: 40", "ratePerSecond: 41"));
        assert!(said.contains("sale.yaml:15:"), "{said}");
        assert!(
            said.contains("raise the capacity") && said.contains('^'),
            "{said}"
        );
        let said = refused(&GOOD.replace("closesAt: 2026-12-01T13:00:00Z", "closesAt: 2026-12-01T10:00:00Z"));
        assert!(
            said.contains("sale.yaml:11:") && said.contains("opensAt"),
            "{said}"
        );
    }

    #[test]
    fn an_unknown_field_and_a_wrong_type_are_pointed_at() {
        let said = refused(&GOOD.replace("  seats: 1000", "  seats: many"));
        assert!(said.contains("sale.yaml:7:"), "{said}");
        let said = refused(&GOOD.replace("    replicas: 4", "    replica: 4"));
        assert!(said.contains("replica"), "{said}");
    }

    #[test]
    fn of_several_documents_each_keeps_its_lines() {
        let second = GOOD.replace("seats: 1000", "seats: 0");
        let said = refused(&format!("{GOOD}---\n{second}"));
        assert!(said.contains("sale.yaml:26:"), "{said}");
    }
}

//! Which sale is meant, and what a refusal of the control API means for the exit code.

use crate::{
    control::{Api, ControlError},
    exit::Exit,
    failure::Failure,
};
use reqwest::StatusCode;
use urr_controlplane::http::SaleState;

/// The sale called `name`: an id, the beginning of one, or a name in any case. Without a name the
/// only one there is.
pub(crate) async fn resolve(api: &Api, name: Option<&str>) -> Result<SaleState, Failure> {
    let sales = api.list().await.map_err(|error| refused(&error))?;
    let id = name.and_then(|name| api.id_of(name)).map(|id| id.to_string());
    if let (Some(id), Some(name)) = (&id, name)
        && !sales.iter().any(|state| state.sale.id.to_string() == *id)
    {
        return Err(Failure::new(
            Exit::Conflict,
            format!("the control plane does not know {name} yet"),
        )
        .remedy(format!(
            "the operator announces it: ticketctl describe {name} tells what it waits for"
        )));
    }
    pick(sales, id.as_deref().or(name))
}

fn pick(mut sales: Vec<SaleState>, name: Option<&str>) -> Result<SaleState, Failure> {
    let all: Vec<String> = sales.iter().map(|state| state.sale.name.clone()).collect();
    let known = || match all.as_slice() {
        [] => "there is none yet: announce one with `ticketctl apply -f FILE`".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    };
    if let Some(name) = name {
        let lower = name.to_lowercase();
        let exact =
            |state: &SaleState| state.sale.id.to_string() == lower || state.sale.name.to_lowercase() == lower;
        if sales.iter().any(exact) {
            sales.retain(exact);
        } else {
            sales.retain(|state| state.sale.id.to_string().starts_with(&lower));
        }
    }
    match (sales.pop(), sales.is_empty(), name) {
        (Some(sale), true, _) => Ok(sale),
        (None, _, Some(name)) => {
            Err(Failure::new(Exit::NotFound, format!("there is no sale `{name}`")).remedy(known()))
        }
        (None, _, None) => Err(Failure::new(Exit::NotFound, "there is no sale").remedy(known())),
        (Some(_), false, Some(name)) => Err(Failure::bad_input(format!(
            "more than one sale is called `{name}`"
        ))
        .remedy("give its id; `ticketctl get -o wide` lists them")),
        (Some(_), false, None) => Err(Failure::bad_input("which sale?").remedy(known())),
    }
}

/// What went wrong at the control API, with the exit code that tells scripts.
pub(crate) fn refused(error: &ControlError) -> Failure {
    match error {
        ControlError::Unreachable { url, source } => Failure::new(
            Exit::Unreachable,
            format!("the control API at {url} does not answer"),
        )
        .because(source)
        .remedy("is it running, and is the address right?"),
        ControlError::Refused { status, message } => {
            let (exit, remedy) = match *status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    (Exit::Denied, Some("is it the token of this control API?"))
                }
                StatusCode::NOT_FOUND => (Exit::NotFound, Some("`ticketctl get` lists what there is")),
                StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => (Exit::Conflict, None),
                StatusCode::BAD_REQUEST => (Exit::BadInput, None),
                _ => (Exit::Failure, None),
            };
            let failure = Failure::new(exit, format!("the control API refused ({status}): {message}"));
            match remedy {
                Some(remedy) => failure.remedy(remedy),
                None => failure,
            }
        }
        ControlError::Garbled { source, .. } => Failure::new(Exit::Failure, error.to_string())
            .because(source)
            .remedy("is this ticketctl as old as the control plane? `ticketctl version` tells both versions"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use urr_core::{
        plan::Hand,
        sale::{AdmissionSettings, CapacitySettings, Ordering, Sale, Schedule},
        time::Millis,
    };
    use uuid::Uuid;

    pub(crate) fn state(id: u128, name: &str) -> SaleState {
        let opens_at = Millis(1_796_122_800_000);
        SaleState {
            sale: Sale {
                id: Uuid::from_u128(id),
                name: name.into(),
                schedule: Schedule {
                    pre_queue_at: opens_at.plus_s(-600),
                    opens_at,
                    closes_at: opens_at.plus_s(3600),
                },
                ordering: Ordering::Shuffle,
                seats: 1000,
                expected_visitors: 5000,
                admission: AdmissionSettings {
                    rate_per_s: 100,
                    cap: 500,
                    ..AdmissionSettings::default()
                },
                capacity: CapacitySettings {
                    rate_per_replica: 60,
                    replicas: 2,
                },
            },
            hand: Hand::default(),
            revision: 3,
            ready_replicas: Some(2),
            phase: None,
            plan: None,
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_sale_is_found_by_name_id_and_the_beginning_of_its_id() {
        let sales = || vec![state(0xa, "Club night"), state(0xb << 124, "Arena")];
        let found = |name| pick(sales(), name).map(|state| state.sale.name);
        assert_eq!(found(Some("club NIGHT")), Ok("Club night".into()));
        assert_eq!(found(Some("b00")), Ok("Arena".into()));
        assert_eq!(
            found(Some("00000000-0000-0000-0000-00000000000a")),
            Ok("Club night".into())
        );
        assert_eq!(found(Some("x")).unwrap_err().exit, Exit::NotFound);
        assert_eq!(found(None).unwrap_err().exit, Exit::BadInput);
        assert_eq!(
            pick(vec![state(1, "a")], None).map(|s| s.sale.name),
            Ok("a".into())
        );
        let none = pick(Vec::new(), None).unwrap_err().to_string();
        assert!(none.contains("apply"), "{none}");
    }
}

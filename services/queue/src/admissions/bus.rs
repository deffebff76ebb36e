//! Telling the event bus: an envelope of the topic `admissions`, without an entry token, since a bus is
//! read by many.

use super::{Admission, Destination, Settled, Told};
use futures::future::BoxFuture;
use urr_kit::{
    error::BoxError,
    events::{BusError, EventBus},
};

/// The event bus as a destination.
pub(crate) struct Bus<B>(pub(crate) B);

impl Bus<()> {
    pub(crate) const NAME: &'static str = "bus";
}

impl<B: EventBus> Bus<B> {
    async fn publish(&self, line: &[Admission]) -> Result<Settled, BoxError> {
        let messages = line
            .iter()
            .map(Admission::message)
            .collect::<Result<Vec<_>, _>>()?;
        if messages.is_empty() {
            return Ok(Settled::default());
        }
        let answers = self.0.publish(&messages).await?;
        let refused = answers
            .into_iter()
            .enumerate()
            .filter_map(|(at, answer)| match answer {
                Err(BusError::Rejected(why)) => Some((at, why.to_string())),
                _ => None,
            });
        Ok(Settled {
            count: line.len(),
            refused: refused.collect(),
        })
    }
}

impl<B: EventBus> Destination for Bus<B> {
    fn name(&self) -> &'static str {
        Bus::NAME
    }

    fn tell<'a>(&'a self, lines: &'a [&'a [Admission]]) -> BoxFuture<'a, Told> {
        Box::pin(async move {
            let mut told = Told::default();
            for line in lines {
                // While the bus is away every line would wait for it in turn.
                let settled = match told.failure {
                    Some(_) => Ok(Settled::default()),
                    None => self.publish(line).await,
                };
                told.lines.push(settled.unwrap_or_else(|error| {
                    told.failure = Some(error);
                    Settled::default()
                }));
            }
            told
        })
    }
}

//! A visitor who only watches the draw: notes what was promised before it and what was told after.

use super::World;
use crate::http::{Ask, Http, Passes};
use crate::observe::DrawSeen;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use urr_core::draw::{Commitment, Seed};

/// Between two looks: often enough to see the commitment in the shortest pre-queue, and the seed
/// before the shortest sale is over.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Answer to `GET /vwr-api/vwr/draw/{sale}`.
#[derive(Debug, Deserialize)]
struct Published {
    commitment: Option<Commitment>,
    seed: Option<Seed>,
    drawn: Option<u64>,
}

/// Looks until the draw is revealed or the run is over. A commitment counts only when it was seen
/// before the opening.
pub(crate) async fn watch_draw(world: Arc<World>, http: Arc<dyn Http>) {
    let mut seen = DrawSeen::default();
    while seen.seed.is_none() {
        let before = !world.clock.is_open();
        let ask = Ask::get(world.paths.draw.clone(), &Passes::default());
        if let Ok(answer) = http.send(ask).await
            && (200..300).contains(&answer.status)
            && let Ok(published) = serde_json::from_slice::<Published>(&answer.body)
        {
            if before && !world.clock.is_open() {
                seen.commitment = seen.commitment.or(published.commitment);
            }
            (seen.seed, seen.drawn) = (published.seed, published.drawn);
        }
        world.observer.note(|notes| notes.draw = Some(seen));
        tokio::select! {
            () = world.over.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

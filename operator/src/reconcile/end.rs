//! The last looks at a sale: aborted by its spec, or deleted.

use super::act::given_back;
use super::{Context, Error, now};
use crate::decide::look::PERIOD_FAR;
use crate::decide::{self, Experience};
use crate::{events, health, status};
use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use urr_api::{TicketSale, TicketSaleStatus};

impl Context {
    /// Ends the sale for good: the room is closed, then capacity goes back.
    pub(super) async fn abort(&self, object: &TicketSale) -> Result<Action, Error> {
        let (name, shown) = (object.name_any(), self.reports.newest(object));
        if !is_aborted(shown.as_ref()) && self.rival(object).is_none() {
            self.close_room(object, "spec.abort is set").await?;
        }
        let targets = self.observe(object).await?.targets;
        let decided = given_back(&name, object, targets, shown.as_ref());
        let mut happened = self.scale(object, &decided, shown.as_ref()).await?;
        let now = now();
        let mut targets: Vec<_> = decided
            .iter()
            .map(|(target, wish, step)| {
                let nothing = Experience::new();
                let stamp = (self.since, now);
                decide::target_status(target, (*wish, *step), &name, shown.as_ref(), &nothing, stamp)
            })
            .collect();
        let nowhere = vec![0; targets.len()];
        happened.extend(
            self.reserve(object, &mut targets, &nowhere, shown.as_ref())
                .await?,
        );
        let status = status::aborted(shown.as_ref(), object.metadata.generation, targets, now);
        happened.extend(events::transitions(shown.as_ref(), &status));
        self.report(object, status).await?;
        self.teller.tell(object, &happened).await;
        Ok(Action::requeue(PERIOD_FAR))
    }

    pub(super) async fn close(&self, object: &TicketSale) -> Result<Action, Error> {
        let shown = self.reports.newest(object);
        // One that gave way, or has ended already, has no room: the event is somebody else's by now.
        if !is_aborted(shown.as_ref()) && self.rival(object).is_none() {
            self.close_room(object, "the TicketSale was deleted").await?;
        }
        // The rate is down; now capacity may go.
        let targets = self.observe(object).await?.targets;
        let decided = given_back(&object.name_any(), object, targets, shown.as_ref());
        let happened = self.scale(object, &decided, shown.as_ref()).await?;
        self.teller.tell(object, &happened).await;
        self.leadership.check()?;
        self.reports.forget(object);
        health::forget_slack(object);
        Ok(Action::await_change())
    }
}

pub(super) fn is_aborted(shown: Option<&TicketSaleStatus>) -> bool {
    shown.and_then(|status| status.phase.as_deref()) == Some(status::ABORTED)
}

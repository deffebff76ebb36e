//! The last looks at a sale: aborted by its spec, or deleted. What is decided on the way is
//! [`crate::decide::end`]'s.

use super::{Context, Error, now};
use crate::decide::end::Ending;
use crate::trace::{self, Ended, Kind};
use crate::{events, health};
use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use urr_api::{TicketSale, TicketSaleStatus};

impl Context {
    /// Ends the sale for good: the room is closed, then capacity goes back.
    pub(super) async fn abort(&self, object: &TicketSale) -> Result<Action, Error> {
        let (name, shown) = (object.name_any(), self.reports.newest(object));
        let (shown, rival) = (shown.as_ref(), self.rival(object));
        let ending = self.ending(object, &name, shown, rival.as_deref());
        if ending.closes_room() {
            self.close_room(object, "spec.abort is set").await?;
        }
        let targets = self.observe(object).await?.targets;
        let at = now();
        let decided = ending.give_back(targets.clone(), at);
        let mut happened = self.scale(object, &decided, shown).await?;
        let mut statuses = ending.target_statuses(&decided, at);
        let nowhere = vec![0; statuses.len()];
        happened.extend(self.reserve(object, &mut statuses, &nowhere, shown).await?);
        let status = ending.status(statuses, at);
        self.note(object, shown, at, || {
            let decided = trace::Decided::aborted(&ending, &decided, &status);
            (Kind::Aborted(Ended::new(&ending, targets)), decided)
        });
        happened.extend(events::transitions(shown, &status));
        self.report(object, status).await?;
        self.teller.tell(object, &happened).await;
        Ok(Action::requeue(Ending::WAKE))
    }

    pub(super) async fn close(&self, object: &TicketSale) -> Result<Action, Error> {
        let (name, shown) = (object.name_any(), self.reports.newest(object));
        let (shown, rival) = (shown.as_ref(), self.rival(object));
        let ending = self.ending(object, &name, shown, rival.as_deref());
        if ending.closes_room() {
            self.close_room(object, "the TicketSale was deleted").await?;
        }
        // The rate is down; now capacity may go.
        let targets = self.observe(object).await?.targets;
        let at = now();
        let decided = ending.give_back(targets.clone(), at);
        let happened = self.scale(object, &decided, shown).await?;
        self.note(object, shown, at, || {
            let decided = trace::Decided::deleted(&ending, &decided);
            (Kind::Deleted(Ended::new(&ending, targets)), decided)
        });
        self.teller.tell(object, &happened).await;
        self.leadership.check()?;
        self.reports.forget(object);
        health::forget_slack(object);
        Ok(Action::await_change())
    }

    fn ending<'a>(
        &self,
        object: &'a TicketSale,
        name: &'a str,
        shown: Option<&'a TicketSaleStatus>,
        rival: Option<&'a str>,
    ) -> Ending<'a> {
        Ending {
            name,
            generation: object.metadata.generation,
            spec: &object.spec,
            shown,
            rival,
            since: self.since,
        }
    }
}

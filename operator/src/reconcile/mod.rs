//! One look at one `TicketSale`: observe, plan, apply, report.
//!
//! Here is what a look is given and how it is begun; [`look`] is the look itself, [`end`] the last ones of a
//! sale, [`act`] what is done to workloads, [`steer`] what is said to the control plane, [`report`] what is
//! told, [`neighbours`] what other sales mean for this one.

pub(crate) mod act;
mod end;
pub(crate) mod look;
mod neighbours;
mod report;
pub(crate) mod steer;

use crate::control_api::{ControlApi, ControlError};
use crate::decide::look::PERIOD_FAILED;
use crate::events::Teller;
use crate::health::Gates;
use crate::lease::{Claim as Leadership, NotLeading};
use crate::reports::Reports;
use crate::targets::ApplyError;
use crate::trace::Recorder;
use crate::wake::Watches;
use chrono::Utc;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::finalizer::{self, Event, finalizer};
use kube::runtime::reflector::store::{Store, WriterDropped};
use kube::{Api, Client, ResourceExt as _};
use std::sync::Arc;
use urr_api::TicketSale;
use urr_core::time::Millis;

/// Keeps a sale's object until its room is closed and its capacity given back.
const FINALIZER: &str = "urr.guru/close-room";

/// A sale, or what of it can be read: one that cannot stops no other.
pub type Guarded = DeserializeGuard<TicketSale>;

/// What a look needs.
pub struct Context {
    client: Client,
    control: ControlApi,
    known: Store<Guarded>,
    autoscalers: Store<HorizontalPodAutoscaler>,
    reports: Reports,
    leadership: Leadership,
    teller: Teller,
    gates: Gates,
    /// Writes looks down, where somebody wants that.
    recorder: Option<Recorder>,
    /// From here on this process has seen everything.
    since: Millis,
}

impl Context {
    /// Looks through `client` and `watches` at the cluster, and steers through `control`, while `leadership`
    /// lasts.
    #[must_use]
    pub fn new(
        client: Client,
        control: ControlApi,
        watches: &Watches,
        leadership: Leadership,
        teller: Teller,
        gates: Gates,
        recorder: Option<Recorder>,
    ) -> Self {
        Self {
            client,
            control,
            known: watches.sales.clone(),
            autoscalers: watches.autoscalers.clone(),
            reports: watches.reports.clone(),
            leadership,
            teller,
            gates,
            recorder,
            since: now(),
        }
    }
}

/// Why a look failed; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error("the cluster's API did not do it")]
    Kube(#[from] kube::Error),
    /// What is watched is not known.
    #[error("the watch of autoscalers has ended")]
    Watch(#[from] WriterDropped),
    /// The control API, while closing a sale: the object stays until it answers.
    #[error("the sale could not be closed")]
    Close(#[source] ControlError),
    /// Nothing was written.
    #[error(transparent)]
    NotLeading(#[from] NotLeading),
    /// The finalizer could not be set or removed.
    #[error("the finalizer could not be changed")]
    Finalizer(#[source] Box<finalizer::Error<Self>>),
}

impl From<ApplyError> for Error {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Kube(error) => Self::Kube(error),
            ApplyError::NotLeading(error) => Self::NotLeading(error),
        }
    }
}

/// Looks at `sale` once.
///
/// # Errors
/// [`Error`].
pub async fn reconcile(sale: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Error> {
    let sale = match &sale.0 {
        Ok(sale) => Arc::new(sale.clone()),
        Err(unreadable) => {
            let name = unreadable.metadata.name.as_deref().unwrap_or_default();
            metrics::counter!("operator_unreadable_sales_total").increment(1);
            tracing::error!(sale = name, error = %unreadable, "this TicketSale cannot be read: it is left alone");
            context.teller.tell_unreadable(unreadable).await;
            return Ok(Action::await_change());
        }
    };
    // Also before the finalizer's own writes.
    context.leadership.check()?;
    let sales = Api::namespaced(context.client.clone(), &sale.namespace().unwrap_or_default());
    let look = |event: Event<TicketSale>| async {
        match event {
            Event::Apply(sale) if sale.spec.abort => context.abort(&sale).await,
            Event::Apply(sale) => context.keep(&sale).await,
            Event::Cleanup(sale) => context.close(&sale).await,
        }
    };
    // Begins a trace that goes on in the control plane (R-OBS-02).
    let span = urr_kit::trace::root("look");
    let looked = urr_kit::trace::within(span, async {
        let looked = Box::pin(finalizer(&sales, FINALIZER, sale, look)).await;
        if looked.is_err() {
            urr_kit::trace::failed();
        }
        looked
    });
    let looked = looked.await;
    let outcome = if looked.is_ok() { "done" } else { "failed" };
    metrics::counter!("operator_looks_total", "outcome" => outcome).increment(1);
    looked.map_err(|error| Error::Finalizer(Box::new(error)))
}

/// After an error: soon, whatever it was; a sale does not wait for a back-off to grow.
#[must_use]
pub fn on_error(sale: &Guarded, error: &Error) -> Action {
    tracing::warn!(
        sale = sale.name_any(),
        error = chain(error),
        "looking at the sale failed"
    );
    Action::requeue(PERIOD_FAILED)
}

fn now() -> Millis {
    Millis(Utc::now().timestamp_millis())
}

/// The error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

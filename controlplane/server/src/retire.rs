//! Forgetting a sale: nobody is let in any more, the room is closed, then the record goes.
//!
//! Each part is idempotent and the record goes last, so a crash in between is continued by the
//! next step. The audit log stays.

use crate::reconcile::{ReconcileError, Reconciler};
use crate::store::{NewAudit, SaleRecord};
use crate::targets::{RoomStep, limits_step, room_step};
use urr_core::plan::{LimitsTarget, RoomTarget};
use urr_core::room::{Mode, Room};
use urr_core::sale::{Sale, Schedule};
use urr_kit::state::limits::Written;

use crate::store::StoreError;

pub(crate) async fn retire(
    control: &Reconciler,
    record: &SaleRecord,
    room: Option<&Room>,
) -> Result<(), ReconcileError> {
    let now = control.clock.now();
    let sale = &record.sale;
    // The rate goes down before anything else does.
    let current = control.limits.read(sale.id).await.map_err(ReconcileError::Room)?;
    let target = LimitsTarget {
        rate_per_s: 0,
        cap: sale.admission.cap,
        paused: true,
    };
    let sold_out = current.as_ref().is_some_and(|limits| limits.sold_out);
    if let Some(limits) = limits_step(current.as_ref(), sale, &target, sold_out, room)
        && control
            .limits
            .write(&limits)
            .await
            .map_err(ReconcileError::Room)?
            == Written::Stale
    {
        return Err(StoreError::Fenced.into());
    }
    if room.is_some() {
        let target = RoomTarget {
            mode: Mode::Inactive,
            rate_per_s: 0,
        };
        if let RoomStep::Replace {
            expected_revision,
            room,
        } = room_step(room, sale, Some(target), now)
        {
            control
                .rooms
                .replace(expected_revision, &room)
                .await
                .map_err(ReconcileError::Room)?;
        }
    }
    // Booking keeps its own clock; a sale that ends now takes no new holds. A booking service that
    // is gone cannot take holds either, so it does not keep the sale alive.
    let ended = Schedule {
        closes_at: sale
            .schedule
            .closes_at
            .min(now)
            .max(sale.schedule.opens_at.plus_ms(1)),
        ..sale.schedule
    };
    let ended = Sale {
        schedule: ended,
        ..sale.clone()
    };
    if let Err(error) = control.observer.tell_booking(&ended).await {
        tracing::warn!(
            sale = %sale.id,
            error = urr_kit::error::chain(&error),
            "booking was not told that the sale is deleted"
        );
    }
    let audit = NewAudit {
        actor: "control-plane".to_owned(),
        action: "deleted",
        reason: String::new(),
        old: sale.name.clone(),
        new: "room closed, nobody is let in".to_owned(),
    };
    Ok(control.sales.forget(record, audit, now).await?)
}

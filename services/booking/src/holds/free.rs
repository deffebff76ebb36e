//! What costs nothing is sold where it is held: no payment will ever come for it (the provider takes 1 KRW and more),
//! so it would only wait for its end.

use super::Holds;
use crate::consumer::forget_keys;
use crate::reservation::Status;
use crate::store::hold::{self, Hold};
use crate::store::settle::{self, Fencing, Paid, SettleError};
use urr_kit::wire;
use uuid::Uuid;

/// How nothing is paid.
const METHOD: &str = "free";

impl Holds {
    /// Sells `user`'s pending reservation of this total, KRW, if that is nothing. Answers whether it did.
    ///
    /// # Errors
    /// What the database fails with: it stays held then, and the same call under its key sells it.
    pub async fn sell_if_free(&self, reservation: Uuid, user: Uuid, total: i64) -> Result<bool, sqlx::Error> {
        if total != 0 {
            return Ok(false);
        }
        let paid = Paid {
            payment: None,
            payer: Some(user),
            amount: Some(0),
            method: METHOD,
        };
        let now = wire::at(self.clock.now());
        let mut conn = self.pool.acquire().await?;
        let sold = settle::confirm(&mut conn, reservation, paid, Fencing::of_this_process(), now).await;
        drop(conn);
        match sold {
            Ok(settled) => {
                forget_keys(&self.filter, &settled, "confirmed").await;
                Ok(settled.changed)
            }
            Err(SettleError::Store(error)) => Err(error),
            // Called off, or given up or changed by himself in between: it is what it is.
            Err(refused @ (SettleError::Refused(_) | SettleError::NotFound)) => {
                tracing::info!(%reservation, %user, reason = %refused, "a free ticket was not sold");
                Ok(false)
            }
        }
    }

    /// The hold, or what it is once it is sold for nothing.
    pub(super) async fn or_sold(&self, hold: Hold, user: Uuid) -> Result<Hold, sqlx::Error> {
        if hold.status != Status::Pending || !self.sell_if_free(hold.id, user, hold.total_amount).await? {
            return Ok(hold);
        }
        Ok(hold::load(&self.pool, hold.id).await?.unwrap_or(hold))
    }
}

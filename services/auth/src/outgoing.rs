//! What auth tells the others: that there is an account, and nothing of whose it is but its role.

use crate::store::User;
use sqlx::PgConnection;
use urr_core::time::Millis;
use urr_kit::events::{ACCOUNT_EVENTS, ACCOUNT_OPENED, AccountOpened, Envelope, outbox};

/// Puts the news into the outbox, in the transaction that makes the account.
pub(crate) async fn account_opened(tx: &mut PgConnection, user: &User, now: Millis) -> sqlx::Result<()> {
    let told = AccountOpened {
        user_id: user.id,
        role: user.role.clone(),
    };
    let envelope = Envelope::new(ACCOUNT_OPENED, "account", user.id, now, &told)
        .map_err(|error| sqlx::Error::Encode(error.into()))?
        .by(user.id);
    outbox::enqueue(tx, ACCOUNT_EVENTS, &envelope).await
}

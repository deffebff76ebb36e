//! The way out: one trait, an adapter per provider.

use futures::future::BoxFuture;
use uuid::Uuid;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Same for every try of one message; providers use it to send once.
    pub id: Uuid,
    /// To whom; the adapter knows his address.
    pub user_id: Uuid,
    /// Subject.
    pub title: String,
    /// Text.
    pub body: String,
}

/// Why a message did not go out.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// Worth another try.
    #[error("not delivered now: {0}")]
    Later(String),
    /// It never will be.
    #[error("cannot be delivered: {0}")]
    Never(String),
}

/// A way to reach people.
pub trait Channel: Send + Sync + 'static {
    /// Its name in rows and logs, such as `email`; at most 20 characters.
    fn name(&self) -> &'static str;

    /// Sends the message.
    fn deliver<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), DeliveryError>>;
}

/// Writes messages to the log: for drills and laptops.
#[derive(Debug, Clone, Copy)]
pub struct LogChannel;

impl Channel for LogChannel {
    fn name(&self) -> &'static str {
        "log"
    }

    fn deliver<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move {
            tracing::debug!(user = %message.user_id, title = message.title, "notification");
            Ok(())
        })
    }
}

//! Ctrl-C and SIGTERM: the first asks for a clean end, the second forces one.
//!
//! Escalation is state, not handlers: whoever runs the drill looks at [`Interrupts`], and a test
//! can press the keys without a process.

use std::sync::Arc;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Signals cannot be listened for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// Not for Ctrl-C.
    #[error("Ctrl-C cannot be listened for")]
    Interrupt(#[source] ctrlc::Error),
    /// Not for the others.
    #[error("SIGTERM and SIGHUP cannot be listened for")]
    Other(#[source] std::io::Error),
}

/// How often somebody has asked us to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts(Arc<watch::Sender<u32>>);

impl Interrupts {
    /// Nobody has asked yet.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Listens for SIGINT, SIGTERM and SIGHUP (a closed terminal) from now on. Once a process.
    ///
    /// SIGINT goes through the crate `ctrlc` because goose takes it there, overwriting whoever has
    /// it, as soon as a load begins; who comes first keeps it.
    pub(crate) fn listen(&self) -> Result<(), ListenError> {
        let this = self.clone();
        ctrlc::set_handler(move || this.ask()).map_err(ListenError::Interrupt)?;
        for kind in [SignalKind::terminate(), SignalKind::hangup()] {
            let mut signals = signal(kind).map_err(ListenError::Other)?;
            let this = self.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    this.ask();
                }
            });
        }
        Ok(())
    }

    /// Somebody asks.
    pub(crate) fn ask(&self) {
        self.0.send_modify(|n| *n = n.saturating_add(1));
    }

    /// Whether somebody has asked.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Waits for the first request.
    pub(crate) async fn asked(&self) {
        self.times(1).await;
    }

    /// Waits for the second: no patience left.
    pub(crate) async fn forced(&self) {
        self.times(2).await;
    }

    async fn times(&self, n: u32) {
        // The sender lives in self, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|&asked| asked >= n).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn the_second_request_forces() {
        let interrupts = Interrupts::new();
        assert!(interrupts.asked().now_or_never().is_none());
        interrupts.ask();
        assert!(interrupts.is_asked());
        assert!(interrupts.asked().now_or_never().is_some());
        assert!(interrupts.forced().now_or_never().is_none());
        interrupts.ask();
        assert!(interrupts.forced().now_or_never().is_some());
    }
}

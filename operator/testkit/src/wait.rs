//! Waiting for something to become true: polled, with a deadline, and with a sentence about what was
//! there instead, so that a timeout explains itself.

use crate::Error;
use std::time::{Duration, Instant};

/// A look every this long: short against everything waited for, long against a call.
const PERIOD: Duration = Duration::from_millis(50);

/// Asks `look` until it gives a value. `Err(text)` says what was seen instead.
///
/// # Errors
/// [`Error::Timeout`] with the last text.
pub async fn eventually<T, F>(limit: Duration, what: &str, mut look: F) -> Result<T, Error>
where
    F: AsyncFnMut() -> Result<T, String>,
{
    let deadline = Instant::now() + limit;
    loop {
        match look().await {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() >= deadline => {
                return Err(Error::Timeout {
                    what: what.to_owned(),
                    waited_s: limit.as_secs(),
                    seen,
                });
            }
            Err(_) => tokio::time::sleep(PERIOD).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timeout_says_what_was_seen_instead() {
        let error = eventually::<(), _>(Duration::ZERO, "five Pods", async || Err("three".to_owned()))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "after 0 s still not: five Pods (last seen: three)"
        );
    }
}

//! Hashing passwords without letting it take the machine.
//!
//! A bcrypt hash is a quarter of a second of one core on purpose. As many run at once as there are
//! cores, on blocking threads; a bounded number wait; the rest are told to come back (503), since
//! their browsers would have given up before their turn.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use urr_kit::{ApiError, StartError};

/// Waiters per core. At 250 ms a hash (cost 12) the last of 40 waits 10 s, and clients stop waiting
/// after 15.
const WAITERS_PER_CORE: usize = 40;
/// bcrypt looks at no more than this; longer passwords would be cut without a word.
pub(crate) const BYTES_MAX: usize = 72;

/// Hashes and checks passwords. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Passwords {
    cost: u32,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    /// The hash of a password nobody knows: checked when the account does not exist, so that the
    /// answer takes as long as for one that does.
    decoy: Arc<str>,
}

impl Passwords {
    pub(crate) async fn new(cost: u32) -> Result<Self, StartError> {
        let cores = available_parallelism().map_or(1, usize::from);
        let mut passwords = Self {
            cost,
            running: Arc::new(Semaphore::new(cores)),
            admitted: Arc::new(Semaphore::new(cores * (1 + WAITERS_PER_CORE))),
            decoy: Arc::from(""),
        };
        let decoy = passwords.hash(uuid::Uuid::new_v4().to_string()).await;
        let decoy = decoy.map_err(|error| StartError::other("bcrypt does not work", error))?;
        passwords.decoy = decoy.into();
        Ok(passwords)
    }

    /// The hash of a password of at most [`BYTES_MAX`] bytes.
    pub(crate) async fn hash(&self, password: String) -> Result<String, ApiError> {
        let cost = self.cost;
        self.run(move || bcrypt::non_truncating_hash(password, cost))
            .await
    }

    /// Whether `password` is the one behind `hash`; `None` takes as long and is false.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, ApiError> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.to_string());
        if password.len() > BYTES_MAX {
            return Ok(false);
        }
        let matches = self.run(move || bcrypt::verify(password, &hash)).await?;
        Ok(matches && exists)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, bcrypt::BcryptError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = || ApiError::unavailable("Too many log-ins at once. Please retry.");
        let _admitted = self.admitted.try_acquire().map_err(|_| busy())?;
        // Owned and moved into the thread: a caller that hangs up does not free a core that is
        // still at work.
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(running);
            result
        });
        done.await
            .map_err(ApiError::internal)?
            .map_err(ApiError::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::Passwords;

    #[tokio::test]
    async fn the_right_password_matches_and_a_missing_account_never_does() {
        let passwords = Passwords::new(4).await.unwrap();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$2b$04$"));
        for (password, hash, expected) in [
            ("correct horse", Some(hash.clone()), true),
            ("wrong horse", Some(hash), false),
            ("correct horse", None, false),
        ] {
            let matches = passwords.verify(password.to_owned(), hash).await.unwrap();
            assert_eq!(matches, expected, "{password}");
        }
    }

    #[tokio::test]
    async fn a_full_queue_is_told_to_come_back() {
        let passwords = Passwords::new(4).await.unwrap();
        let all = u32::try_from(passwords.admitted.available_permits()).unwrap();
        let _everyone = passwords.admitted.acquire_many(all).await.unwrap();
        let late = passwords.hash("x".to_owned()).await.unwrap_err();
        assert_eq!(late.status(), 503);
    }
}

//! Keeps the tasks of a process together: all run, or the process ends.

use super::{DRAIN_LIMIT, Task};
use crate::error::{BoxError, chain};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A task that should have run on did not.
#[derive(Debug, thiserror::Error)]
#[error("task `{task}` ended: {problem}")]
pub struct TaskFailure {
    /// Its name.
    pub task: &'static str,
    /// Why, or that it just returned.
    pub problem: String,
}

/// Runs `tasks` until `shutdown`, then gives them [`DRAIN_LIMIT`] to end.
///
/// # Errors
/// When a task fails or ends early; `shutdown` is then cancelled, so that the process drains.
pub async fn supervise(tasks: Vec<Task>, shutdown: CancellationToken) -> Result<(), TaskFailure> {
    let mut running = JoinSet::new();
    for Task { name, future } in tasks {
        running.spawn(async move {
            // A second spawn, so that a panic is told apart and named.
            let outcome = match tokio::spawn(future).await {
                Ok(outcome) => outcome,
                Err(panic) => Err(BoxError::from(panic)),
            };
            (name, outcome)
        });
    }
    let failure = tokio::select! {
        () = shutdown.cancelled() => None,
        Some(ended) = running.join_next() => early_end(ended, &shutdown),
    };
    shutdown.cancel();
    let drained = tokio::time::timeout(DRAIN_LIMIT, async {
        while let Some(ended) = running.join_next().await {
            if let Ok((task, Err(error))) = ended {
                tracing::warn!(task, error = chain(error.as_ref()), "task failed while ending");
            }
        }
    });
    if drained.await.is_err() {
        tracing::warn!(left = running.len(), "tasks did not end in time and were cut off");
    }
    failure.map_or(Ok(()), Err)
}

fn early_end(
    ended: Result<(&'static str, Result<(), BoxError>), tokio::task::JoinError>,
    shutdown: &CancellationToken,
) -> Option<TaskFailure> {
    let (task, problem) = match ended {
        Ok((_, Ok(()))) if shutdown.is_cancelled() => return None,
        Ok((task, Ok(()))) => (task, "it returned while the process was to run on".to_owned()),
        Ok((task, Err(error))) => (task, chain(error.as_ref())),
        Err(error) => ("supervisor", error.to_string()),
    };
    Some(TaskFailure { task, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(shutdown: &CancellationToken) -> Task {
        let shutdown = shutdown.clone();
        Task::new("waits", async move {
            shutdown.cancelled().await;
            Ok(())
        })
    }

    #[tokio::test]
    async fn a_task_that_fails_ends_the_process() {
        let shutdown = CancellationToken::new();
        let fails = Task::new("fails", async { Err("no disk".into()) });
        let failure = supervise(vec![waits(&shutdown), fails], shutdown.clone())
            .await
            .unwrap_err();
        assert_eq!((failure.task, failure.problem.as_str()), ("fails", "no disk"));
        assert!(shutdown.is_cancelled());
    }

    #[tokio::test]
    async fn a_task_that_returns_early_or_panics_ends_the_process() {
        for task in [
            Task::new("odd", async { Ok(()) }),
            Task::new("odd", async { panic!("on purpose") }),
        ] {
            let failure = supervise(vec![task], CancellationToken::new()).await.unwrap_err();
            assert_eq!(failure.task, "odd");
        }
    }

    #[tokio::test]
    async fn a_shutdown_lets_every_task_end() {
        let shutdown = CancellationToken::new();
        let supervised = supervise(vec![waits(&shutdown), waits(&shutdown)], shutdown.clone());
        shutdown.cancel();
        supervised.await.unwrap();
    }
}

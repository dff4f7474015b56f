use std::collections::VecDeque;

use super::*;

/// A task which plays what it is given, then stops the runner.
struct Scripted {
    script: VecDeque<Result<Progress, TaskError>>,
    panics: bool,
    stop: watch::Sender<bool>,
}

impl Task for Scripted {
    fn name(&self) -> String {
        "scripted".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        assert!(!std::mem::take(&mut self.panics), "by script");
        self.script.pop_front().unwrap_or_else(|| {
            self.stop.send_replace(true);
            Ok(Progress::Done)
        })
    }
}

async fn play(script: Vec<Result<Progress, TaskError>>, panics: bool) -> (Result<(), StoreError>, Health) {
    let (stop, stopped) = watch::channel(false);
    let health = Health::default();
    let task = Scripted { script: script.into(), panics, stop };
    let watched = health.clone();
    let ended = run(task, Wake::default(), health, stopped).await;
    (ended, watched)
}

#[tokio::test]
async fn a_task_is_retried_after_an_error_and_after_a_panic() {
    let failing = || Err(TaskError::Retry("not yet".to_owned()));
    let (ended, health) = play(vec![failing()], true).await;
    assert!(ended.is_ok());
    assert!(health.snapshot().is_empty(), "an ended task is not shown");
}

#[tokio::test]
async fn a_failed_store_ends_the_task() {
    let failed = Err(TaskError::Store(StoreError::Disk("full".to_owned())));
    assert!(play(vec![Ok(Progress::Done), failed], false).await.0.is_err());
}

#[test]
fn a_task_which_fails_or_does_not_return_for_long_is_not_healthy() {
    // COORD-21.
    let health = Health::default();
    health.update("t", |t| t.running_since = Some(Instant::now()));
    let now = Instant::now();
    let of = |at: Instant| health.snapshot()["t"].problem(at);
    assert!(of(now).is_none());
    let later = now + UNHEALTHY_AFTER + Duration::from_secs(5);
    assert!(of(later).unwrap().1.contains("not returned"));
    health.returned("t", &Err(TaskError::Retry("refused".to_owned())));
    assert!(of(now).is_none() && of(later).unwrap().1.contains("refused"));
    health.returned("t", &Ok(Progress::Idle));
    assert!(of(later).is_none());
}

/// A task which waits for something that never comes.
struct Waiting(watch::Sender<bool>);

impl Task for Waiting {
    fn name(&self) -> String {
        "waiting".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        self.0.send_replace(true);
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_task_ends_where_it_waits() {
    // COORD-22: before, the service's end waited for whatever a task waited for.
    let (stop, stopped) = watch::channel(false);
    let ended = run(Waiting(stop), Wake::default(), Health::default(), stopped);
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
    assert!(ended.expect("it does not wait for the task").is_ok());
}

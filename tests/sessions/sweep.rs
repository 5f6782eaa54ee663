//! Sweeping by itself.

use std::time::Duration;

use crate::support::{DAY, Rig, count};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Lets every other task run until it waits.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn sd_18_a_sweep_task_sweeps_until_the_sessions_are_gone() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let task = rig.sessions.sweep_every(HOUR).unwrap();
    settle().await;
    let calls = count(&rig.store.calls);

    rig.clock.advance(40 * DAY);
    rig.store.set_down(true);
    tokio::time::advance(HOUR).await;
    settle().await;
    assert_eq!(count(&rig.store.calls), calls + 1, "an outage ends nothing");
    rig.store.set_down(false);
    tokio::time::advance(HOUR).await;
    settle().await;
    assert_eq!(count(&rig.store.calls), calls + 2);
    let long_ago = crate::support::start();
    let swept = rig.store.inner.load(device.id, long_ago).await.unwrap();
    assert!(swept.is_none());

    drop(rig);
    tokio::time::advance(HOUR).await;
    task.await.unwrap();
}

#[tokio::test]
async fn sd_18_a_sweep_task_needs_an_interval() {
    let error = Rig::new().sessions.sweep_every(Duration::ZERO).unwrap_err();
    assert!(error.is_misuse());
}

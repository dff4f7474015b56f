//! The timers without a clock.

use std::time::Duration;

use processor_messages::Validator;
use tokio::time::Instant;
use tributary::Timer;

use crate::timers::{Newcomers, Timers};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// P2P-25
#[test]
fn timers_fire_once_in_order_and_the_latest_setting_counts() {
    let start = Instant::now();
    let mut timers = Timers::default();
    timers.set(Timer::Interval, start + ms(5));
    timers.set(Timer::Sync, start + ms(1));
    timers.set(Timer::Sync, start + ms(10));
    timers.set(Timer::Heartbeat, start + ms(7));
    timers.cancel(Timer::Heartbeat);
    timers.cancel(Timer::Resend);
    assert_eq!(timers.next(), Some(start + ms(5)));
    assert_eq!(timers.take_due(start + ms(4)), None);
    assert_eq!(timers.take_due(start + ms(20)), Some(Timer::Interval));
    assert_eq!(timers.take_due(start + ms(20)), Some(Timer::Sync));
    assert_eq!(timers.take_due(start + ms(20)), None);
    assert_eq!(timers.next(), None);
}

/// P2P-25
#[test]
fn only_what_repeats_is_brought_forward() {
    let start = Instant::now();
    let mut timers = Timers::default();
    let rebroadcast = Timer::Rebroadcast { height: 3, round: 0 };
    for timer in
        [Timer::Resend, Timer::Sync, rebroadcast, Timer::Interval, Timer::Propose { height: 3, round: 0 }]
    {
        timers.set(timer, start + ms(1_000));
    }
    timers.hasten(start, ms(100));
    let mut early = Vec::new();
    while let Some(timer) = timers.take_due(start + ms(100)) {
        early.push(timer);
    }
    early.sort();
    assert_eq!(early, [rebroadcast, Timer::Sync, Timer::Resend]);
    timers.hasten(start, ms(5_000));
    assert_eq!(timers.next(), Some(start + ms(1_000)), "never later");
}

/// P2P-25: one member that comes and goes brings nothing forward each time, and keeps nobody else from it.
#[test]
fn a_member_that_comes_and_goes_hastens_once_in_a_while() {
    let start = Instant::now();
    let (flapping, other) = (Validator([1; 32]), Validator([2; 32]));
    let mut newcomers = Newcomers::default();
    let hastened = (0..50u64).filter(|n| newcomers.admit(&[flapping], start + ms(n * 100))).count();
    assert_eq!(hastened, 1);
    assert!(newcomers.admit(&[flapping, other], start + ms(4_900)));
    assert!(!newcomers.admit(&[], start + ms(9_000)));
    assert!(newcomers.admit(&[flapping], start + ms(9_000)));
}

//! The tail of the pipeline: what is held of sessions that are not sampled, and how it goes on once they are
//! kept.
//!
//! A thread of its own hands it over, in portions, so that no request waits, and no queue behind it, which is
//! made for what a service does at a time, is flooded with what a session did in ten minutes.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, Weak};
use std::thread;
use std::time::Duration;

use super::hint::Hint;
use super::holding::{Holding, Limits, Portion};
use super::tail_counts::TailCounts;
use crate::id::holders::{Holder, tell_from_now_on};

/// What comes next in the pipeline.
pub(super) trait Next<T>: Send + Sync + 'static {
    /// Of what is held.
    fn session_of(item: &T) -> &str;

    fn hand_on(&self, item: T);

    /// Waits until what was handed on is exported, or cannot be.
    fn flush(&self);

    /// What is done until the guard is dropped is no telemetry itself.
    fn suppress_telemetry() -> impl Sized;
}

/// How many are handed on at a time: the SDK's queues hold four times as many.
const PORTION: usize = 512;

pub(super) struct Tail<T, N> {
    holding: Holding<T>,
    pub(super) next: N,
    started: Once,
    has_thread: AtomicBool,
}

impl<T: Send + 'static, N: Next<T>> Tail<T, N> {
    pub(super) fn new(next: N) -> Self {
        Self {
            holding: Holding::new(N::session_of),
            next,
            started: Once::new(),
            has_thread: AtomicBool::new(false),
        }
    }

    pub(super) const fn limits(&mut self) -> &mut Limits {
        &mut self.holding.limits
    }

    pub(super) fn counts(&self) -> TailCounts {
        TailCounts::new(Arc::clone(&self.holding.counts))
    }

    /// Holds an item of about so many bytes, or hands it on if the session is kept by now.
    pub(super) fn hold(self: &Arc<Self>, item: T, bytes: usize) {
        self.started.call_once(|| self.start());
        if let Some(item) = self.holding.hold(item, bytes) {
            self.next.hand_on(item);
        }
        if self.holding.counts.has_evicted() {
            hint_of_eviction();
        }
    }

    /// Only when something is held: until it is built, the SDK wants a processor for itself.
    fn start(self: &Arc<Self>) {
        let this = Arc::clone(self);
        let thread = thread::Builder::new().name("qorrelate.tail".to_owned());
        let started = thread.spawn(move || this.hand_over_until_stopped());
        self.has_thread.store(started.is_ok(), Ordering::Relaxed);
        let this = Arc::clone(self);
        tell_from_now_on(Arc::downgrade(&this) as Weak<dyn Holder>);
    }

    fn hand_over_until_stopped(&self) {
        let _suppressed = N::suppress_telemetry();
        let mut since_flush = 0;
        while let Some(portion) = self.holding.wait_for_due(PORTION) {
            since_flush += portion.items.len();
            self.hand_over_portion(portion, since_flush >= PORTION);
            since_flush %= PORTION;
        }
    }

    fn hand_over_portion(&self, portion: Portion<T>, flushes: bool) {
        let items = portion.items.len();
        for item in portion.items {
            self.next.hand_on(*item);
        }
        if flushes {
            self.next.flush();
        }
        self.holding.handed_over(items, portion.bytes);
    }

    /// Waits until all that is due is handed on, but not for longer than that. Whether it is.
    pub(super) fn flush(&self, timeout: Duration) -> bool {
        self.holding.wait_until_handed_over(timeout)
    }

    /// Lets go of what is held. What is due is still handed on.
    pub(super) fn stop(&self) {
        self.holding.stop();
    }
}

impl<T: Send + 'static, N: Next<T>> Holder for Tail<T, N> {
    fn hand_over(&self, session: &str) {
        if self.holding.make_due(session) && !self.has_thread.load(Ordering::Relaxed) {
            // A system without another thread to spare: then it is done here.
            while let Some(portion) = self.holding.due(PORTION) {
                self.hand_over_portion(portion, false);
            }
        }
    }
}

impl<T, N: fmt::Debug> fmt::Debug for Tail<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.holding.limits;
        f.debug_struct("Tail").field("limits", &limits).field("next", &self.next).finish()
    }
}

fn hint_of_eviction() {
    static EVICTED: Hint = Hint::new();

    if EVICTED.is_due(tracing::Level::WARN) {
        tracing::warn!(
            target: "qorrelate",
            "the memory for sessions that are not sampled is full: the oldest are let go, and are lost if \
             they meet an error later. Raise max_bytes, or lower max_age, of the tail processor"
        );
    }
}

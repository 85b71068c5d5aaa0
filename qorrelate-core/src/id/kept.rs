//! Sessions that this process keeps whatever the ratio says: those that somebody asked for, and those that
//! met an error.
//!
//! Whether a session is kept is asked for each span, so nobody who asks waits: the table is a row of atomic
//! numbers, and only those who change it take turns.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::session_id::SessionId;

impl SessionId {
    /// Keeps this session: for the next 30 minutes, this process samples everything it does for it, whatever
    /// the ratio says, and what a tail processor holds of it is exported.
    ///
    /// For a session that a support ticket names, or that met a problem which no span shows. Where it is
    /// asked is `SessionSampler`. Other processes don't know of it.
    ///
    /// The process remembers about 16,000 sessions, in a quarter of a megabyte; beyond that, those go first
    /// whose time would have been up first.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// let id: SessionId = "ticket-4711".parse()?;
    /// assert!(!id.is_kept());
    /// id.keep();
    /// assert!(id.is_kept());
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    pub fn keep(&self) {
        self.keep_for(KEEP_FOR);
    }

    /// As [`keep`](Self::keep), for this long from now, in whole seconds rounded up. A time that is set
    /// already is never shortened. `Duration::MAX` is for as long as the process lives.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use qorrelate_core::SessionId;
    /// let id: SessionId = "ticket-4712".parse()?;
    /// id.keep_for(Duration::from_secs(24 * 60 * 60));
    /// assert!(id.is_kept());
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    pub fn keep_for(&self, time: Duration) {
        keep(self.as_str(), time);
    }

    /// Whether this process keeps the session because of [`keep`](Self::keep), or of an error.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// let id: SessionId = "abc".parse()?;
    /// assert!(!id.is_kept());
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    #[must_use]
    pub fn is_kept(&self) -> bool {
        is_kept(self.as_str())
    }

    /// From now on the ratio decides again.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// let id: SessionId = "ticket-4713".parse()?;
    /// id.keep();
    /// id.stop_keeping();
    /// assert!(!id.is_kept());
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    pub fn stop_keeping(&self) {
        if let Some(kept) = KEPT.get() {
            kept.remove(self.as_str());
        }
    }
}

/// Half an hour without activity is where most recorders end a session.
pub(crate) const KEEP_FOR: Duration = Duration::from_secs(30 * 60);

/// Made when the first session is kept, so that asking costs one load until then.
static KEPT: OnceLock<Kept> = OnceLock::new();

pub(crate) fn keep(session: &str, time: Duration) {
    KEPT.get_or_init(Kept::new).insert(session, time);
    #[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
    super::holders::tell(session);
}

#[inline]
pub(crate) fn is_kept(session: &str) -> bool {
    KEPT.get().is_some_and(|kept| kept.contains(session))
}

/// Whether any session was ever kept.
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
#[inline]
pub(crate) fn is_any_kept() -> bool {
    KEPT.get().is_some()
}

/// A set of sessions, each with a time at which it leaves: open addressing, in a window of slots.
struct Kept {
    slots: Box<[AtomicU64]>,
    /// So that nobody can choose IDs that share their slots.
    hasher: RandomState,
    since: Instant,
    writer: Mutex<()>,
}

const SLOTS: usize = 1 << 15;

/// How many slots after its first one an ID can be in: two cache lines.
const WINDOW: usize = 16;

/// A slot: 0 if it was never used, else the highest bits of the ID's hash, and the second since `since` at
/// which it is free again. Two IDs alike are one in 2³⁶ for each slot looked at, and then one session too many
/// is kept.
const SECOND_BITS: u32 = 28;
const FOREVER: u64 = (1 << SECOND_BITS) - 1;

impl Kept {
    fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            since: Instant::now(),
            writer: Mutex::new(()),
        }
    }

    /// Starts at 1: a slot that was emptied is free at once.
    fn now(&self) -> u64 {
        1 + self.since.elapsed().as_secs().min(FOREVER - 2)
    }

    fn window(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        let first = hash as usize % SLOTS;
        self.slots.iter().chain(&self.slots).skip(first).take(WINDOW)
    }

    fn contains(&self, session: &str) -> bool {
        let hash = self.hasher.hash_one(session);
        let mut used = self.window(hash).map(load).take_while(|&slot| slot != 0);
        used.any(|slot| is_of(slot, hash) && second_of(slot) > self.now())
    }

    fn insert(&self, session: &str, time: Duration) {
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        self.insert_until(session, self.now().saturating_add(seconds).min(FOREVER));
    }

    fn insert_until(&self, session: &str, second: u64) {
        let hash = self.hasher.hash_one(session);
        let _alone = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = self.window(hash).find(|slot| is_of(load(slot), hash)) {
            return write(slot, hash, second.max(second_of(load(slot))));
        }
        // The first that is free, or else the one that will be first.
        let now = self.now();
        let soonest = self.window(hash).min_by_key(|slot| second_of(load(slot)).max(now));
        if let Some(slot) = soonest {
            write(slot, hash, second);
        }
    }

    fn remove(&self, session: &str) {
        let hash = self.hasher.hash_one(session);
        let _alone = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Not 0, where whoever looks would stop.
        self.window(hash)
            .filter(|slot| is_of(load(slot), hash))
            .for_each(|slot| write(slot, hash, 1));
    }
}

fn load(slot: &AtomicU64) -> u64 {
    slot.load(Ordering::Relaxed)
}

fn write(slot: &AtomicU64, hash: u64, second: u64) {
    slot.store((hash & !FOREVER) | second, Ordering::Relaxed);
}

fn is_of(slot: u64, hash: u64) -> bool {
    slot != 0 && (slot ^ hash) & !FOREVER == 0
}

fn second_of(slot: u64) -> u64 {
    slot & FOREVER
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(1000);

    #[test]
    fn a_session_is_kept_until_its_time_is_up_or_somebody_stops_it() {
        let kept = Kept::new();
        assert!(!kept.contains("a"));
        kept.insert("a", LONG);
        kept.insert("b", Duration::MAX);
        assert!(kept.contains("a") && kept.contains("b") && !kept.contains("c"));
        kept.remove("a");
        assert!(!kept.contains("a") && kept.contains("b"));
        kept.insert("a", LONG);
        assert!(kept.contains("a"));
        kept.insert_until("c", kept.now());
        assert!(!kept.contains("c"), "its time is up");
    }

    #[test]
    fn a_time_is_never_shortened() {
        let kept = Kept::new();
        kept.insert("a", LONG);
        kept.insert_until("a", kept.now());
        assert!(kept.contains("a"));
    }

    #[test]
    fn half_full_it_forgets_nobody() {
        let kept = Kept::new();
        // Each after others have come and gone.
        for round in 0..3 {
            let ids = move || (0..SLOTS / 4).map(move |n| format!("{round}-{n}"));
            ids().for_each(|id| kept.insert(&id, LONG));
            assert!(ids().all(|id| kept.contains(&id)));
            ids().for_each(|id| kept.remove(&id));
            assert!(!ids().any(|id| kept.contains(&id)));
        }
    }

    #[test]
    fn over_full_it_forgets_those_whose_time_is_up_first() {
        let kept = Kept::new();
        for n in 0..SLOTS * 2 {
            kept.insert(&format!("short-{n}"), LONG);
        }
        for n in 0..100 {
            kept.insert(&format!("long-{n}"), LONG * 2);
        }
        for n in 0..SLOTS {
            kept.insert(&format!("more-{n}"), LONG);
        }
        assert!((0..100).all(|n| kept.contains(&format!("long-{n}"))));
        assert!(kept.contains(&format!("more-{}", SLOTS - 1)), "the last to come");
    }
}

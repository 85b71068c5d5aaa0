//! What is held of sessions until it is known whether they are kept: in bounded memory, the oldest session out
//! first.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::tail_counts::Counts;
use crate::id::kept::is_kept;

/// How much is held, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) age: Duration,
}

/// 64 MiB; ten minutes.
impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 20, age: Duration::from_secs(600) }
    }
}

/// No session has more of the memory than one in so many, so that none can put out all others.
const SESSION_SHARE: usize = 8;

/// What a session costs besides what is held of it: its entries in two maps.
const SESSION_BYTES: usize = 256;

/// What an item costs besides itself: its slot in a queue, of which half may be empty.
const ITEM_BYTES: usize = 2 * mem::size_of::<Item<()>>();

/// The items of many sessions, and those that are to be handed over.
#[derive(Debug)]
pub(super) struct Holding<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    session_of: fn(&T) -> &str,
    pub(super) limits: Limits,
    pub(super) counts: Arc<Counts>,
}

#[derive(Debug)]
struct State<T> {
    sessions: HashMap<Arc<str>, Held<T>>,
    /// By the number of the oldest item that is held of each.
    by_age: BTreeMap<u64, Arc<str>>,
    next_number: u64,
    /// In the order in which they are handed over.
    due: VecDeque<Item<T>>,
    /// The bytes of what is just being handed over. It is no longer here, but still in memory.
    leaving: usize,
    bytes: usize,
    is_stopped: bool,
}

/// What is held of one session. Never empty.
#[derive(Debug)]
struct Held<T> {
    items: VecDeque<Item<T>>,
    bytes: usize,
}

#[derive(Debug)]
struct Item<T> {
    number: u64,
    since: Instant,
    bytes: usize,
    /// Boxed, so that the slots are small.
    item: Box<T>,
}

/// Some of what is due, on its way.
#[derive(Debug)]
pub(super) struct Portion<T> {
    pub(super) items: Vec<Box<T>>,
    pub(super) bytes: usize,
}

impl<T> Holding<T> {
    pub(super) fn new(session_of: fn(&T) -> &str) -> Self {
        Self {
            state: Mutex::new(State {
                sessions: HashMap::new(),
                by_age: BTreeMap::new(),
                next_number: 0,
                due: VecDeque::new(),
                leaving: 0,
                bytes: 0,
                is_stopped: false,
            }),
            changed: Condvar::new(),
            session_of,
            limits: Limits::default(),
            counts: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds an item of about so many bytes, unless its session is kept: then it comes back.
    pub(super) fn hold(&self, item: T, bytes: usize) -> Option<T> {
        let (bytes, since) = (bytes + ITEM_BYTES, Instant::now());
        let item = Item { number: 0, since, bytes, item: Box::new(item) };
        let mut gone = Vec::new();
        let mut state = self.lock();
        // Asked under the lock: whoever keeps the session says so first, and takes what is held then.
        if is_kept((self.session_of)(&item.item)) {
            return Some(*item.item);
        }
        if state.is_stopped {
            self.counts.dropped(1);
            return None;
        }
        self.counts.held(1);
        state.push(item, self, &mut gone);
        state.drop_old(since, self.limits.age, &mut gone, &self.counts);
        state.drop_oldest(self.limits.bytes, &mut gone, &self.counts);
        state.report(&self.counts);
        drop(state);
        // Only now: to free memory takes time, too.
        drop(gone);
        None
    }

    /// What is held of that session is due from now on. Whether there was any.
    pub(super) fn make_due(&self, session: &str) -> bool {
        let mut state = self.lock();
        let Some(held) = state.remove(session) else { return false };
        self.counts.session_handed_over();
        state.due.extend(held.items);
        state.report(&self.counts);
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Waits until something is due, and takes at most so many: [`handed_over`](Self::handed_over) is to be
    /// called then. `None` once it is stopped and nothing is due.
    pub(super) fn wait_for_due(&self, most: usize) -> Option<Portion<T>> {
        let mut state = self.lock();
        loop {
            if !state.due.is_empty() {
                return Some(state.take_due(most));
            }
            if state.is_stopped {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// As [`wait_for_due`](Self::wait_for_due), without waiting.
    pub(super) fn due(&self, most: usize) -> Option<Portion<T>> {
        let mut state = self.lock();
        (!state.due.is_empty()).then(|| state.take_due(most))
    }

    pub(super) fn handed_over(&self, items: usize, bytes: usize) {
        let mut state = self.lock();
        state.bytes -= bytes;
        state.leaving -= bytes;
        self.counts.handed_over(items as u64);
        state.report(&self.counts);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until all that is due is handed over, but not for longer than that. Whether it is.
    pub(super) fn wait_until_handed_over(&self, timeout: Duration) -> bool {
        let is_busy = |state: &mut State<T>| !state.due.is_empty() || state.leaving > 0;
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, is_busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Lets go of what is held, and holds nothing from now on. What is due stays due.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        let gone = mem::take(&mut state.sessions);
        state.by_age.clear();
        for held in gone.values() {
            state.bytes -= held.bytes;
            self.counts.dropped(held.items.len() as u64);
        }
        state.report(&self.counts);
        drop(state);
        self.changed.notify_all();
    }
}

impl<T> State<T> {
    fn push(&mut self, mut item: Item<T>, holding: &Holding<T>, gone: &mut Vec<Box<T>>) {
        let number = self.next_number;
        self.next_number += 1;
        item.number = number;
        self.bytes += item.bytes;
        let session = (holding.session_of)(&item.item);
        if let Some(held) = self.sessions.get_mut(session) {
            held.bytes += item.bytes;
            held.items.push_back(item);
            let most = holding.limits.bytes / SESSION_SHARE;
            if held.bytes > most {
                let before = held.items.front().map(|item| item.number);
                let evicted = held.drop_first(gone, |held, _| held.bytes > most);
                self.bytes -= evicted.bytes;
                holding.counts.evicted(evicted.items);
                let after = held.items.front().map(|item| item.number);
                self.is_younger_now(before, after);
            }
            return;
        }
        holding.counts.session_held();
        let session: Arc<str> = session.into();
        let overhead = SESSION_BYTES + session.len();
        self.bytes += overhead;
        self.by_age.insert(number, Arc::clone(&session));
        let held = Held { bytes: item.bytes + overhead, items: VecDeque::from([item]) };
        self.sessions.insert(session, held);
    }

    fn remove(&mut self, session: &str) -> Option<Held<T>> {
        let held = self.sessions.remove(session)?;
        if let Some(oldest) = held.items.front() {
            self.by_age.remove(&oldest.number);
        }
        // What becomes due still counts, but for the entries in the maps.
        let of_items: usize = held.items.iter().map(|item| item.bytes).sum();
        self.bytes -= held.bytes - of_items;
        Some(held)
    }

    /// The oldest item of a session is another one now.
    fn is_younger_now(&mut self, before: Option<u64>, after: Option<u64>) {
        if let (Some(before), Some(after)) = (before, after)
            && before != after
            && let Some(session) = self.by_age.remove(&before)
        {
            self.by_age.insert(after, session);
        }
    }

    /// Drops the items that are older than that.
    fn drop_old(&mut self, now: Instant, age: Duration, gone: &mut Vec<Box<T>>, counts: &Counts) {
        let is_old = |item: &Item<T>| now.saturating_duration_since(item.since) > age;
        while let Some((&number, session)) = self.by_age.first_key_value() {
            let Some(held) = self.sessions.get_mut(session) else { return };
            if !held.items.front().is_some_and(is_old) {
                return;
            }
            if held.items.back().is_some_and(is_old) {
                let session = Arc::clone(session);
                counts.expired(self.drop_session(&session, gone));
                continue;
            }
            let expired = held.drop_first(gone, |_, item| is_old(item));
            self.bytes -= expired.bytes;
            counts.expired(expired.items);
            let after = held.items.front().map(|item| item.number);
            self.is_younger_now(Some(number), after);
        }
    }

    /// Drops whole sessions until there are no more than so many bytes. What is due stays: it fitted before.
    fn drop_oldest(&mut self, bytes: usize, gone: &mut Vec<Box<T>>, counts: &Counts) {
        while self.bytes > bytes
            && let Some((_, session)) = self.by_age.pop_first()
        {
            counts.session_evicted();
            counts.evicted(self.drop_session(&session, gone));
        }
    }

    /// How many items it had.
    fn drop_session(&mut self, session: &str, gone: &mut Vec<Box<T>>) -> u64 {
        let Some(held) = self.remove(session) else { return 0 };
        let items = held.items.len() as u64;
        for item in held.items {
            self.bytes -= item.bytes;
            gone.push(item.item);
        }
        items
    }

    fn take_due(&mut self, most: usize) -> Portion<T> {
        let most = most.min(self.due.len());
        let mut bytes = 0;
        let items = self.due.drain(..most).map(|item| {
            bytes += item.bytes;
            item.item
        });
        let items = items.collect();
        shrink(&mut self.due);
        self.leaving += bytes;
        Portion { items, bytes }
    }

    fn report(&self, counts: &Counts) {
        counts.now(self.sessions.len(), self.bytes);
    }
}

impl<T> Held<T> {
    /// Drops the first items as long as `goes` says so, but not the last one.
    fn drop_first(
        &mut self,
        gone: &mut Vec<Box<T>>,
        goes: impl Fn(&Self, &Item<T>) -> bool,
    ) -> Dropped {
        let mut dropped = Dropped { items: 0, bytes: 0 };
        while self.items.len() > 1
            && self.items.front().is_some_and(|item| goes(self, item))
            && let Some(item) = self.items.pop_front()
        {
            self.bytes -= item.bytes;
            dropped.items += 1;
            dropped.bytes += item.bytes;
            gone.push(item.item);
        }
        shrink(&mut self.items);
        dropped
    }
}

struct Dropped {
    items: u64,
    bytes: usize,
}

/// Gives slots back of which three in four are empty.
fn shrink<T>(items: &mut VecDeque<Item<T>>) {
    if items.capacity() > 4 * items.len() {
        items.shrink_to(2 * items.len());
    }
}

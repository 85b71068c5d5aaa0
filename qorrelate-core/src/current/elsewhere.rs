//! Sessions that are carried elsewhere than on this thread's stack: in an OpenTelemetry context.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::id::SessionId;

type Reader = fn() -> Option<SessionId>;

/// A reader is here only if something was put where it reads, so that nobody else pays for asking.
static READERS: RwLock<Vec<Reader>> = RwLock::new(Vec::new());
static HAS_READERS: AtomicBool = AtomicBool::new(false);

/// Asks this reader too from now on, where the stack of the thread is empty.
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
pub(crate) fn add_reader(reader: Reader) {
    READERS.write().unwrap_or_else(PoisonError::into_inner).push(reader);
    HAS_READERS.store(true, Ordering::Release);
}

pub(super) fn session() -> Option<SessionId> {
    if !HAS_READERS.load(Ordering::Acquire) {
        return None;
    }
    READERS.read().unwrap_or_else(PoisonError::into_inner).iter().find_map(|read| read())
}

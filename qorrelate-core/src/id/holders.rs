//! Who holds what belongs to sessions, until it is known whether they are kept.

use std::sync::{Mutex, PoisonError, Weak};

/// Somebody who holds what belongs to sessions.
pub(crate) trait Holder: Send + Sync {
    /// From now on the session is kept.
    fn hand_over(&self, session: &str);
}

static HOLDERS: Mutex<Vec<Weak<dyn Holder>>> = Mutex::new(Vec::new());

/// Tells this holder of every session that is kept, as long as it lives.
pub(crate) fn tell_from_now_on(holder: Weak<dyn Holder>) {
    let mut holders = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    holders.retain(|holder| holder.strong_count() > 0);
    holders.push(holder);
}

pub(super) fn tell(session: &str) {
    let holders = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let living: Vec<_> = holders.iter().filter_map(Weak::upgrade).collect();
    drop(holders);
    for holder in living {
        holder.hand_over(session);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn holders_are_told_as_long_as_they_live() {
        struct Told(Mutex<Vec<String>>);

        impl Holder for Told {
            fn hand_over(&self, session: &str) {
                self.0.lock().unwrap().push(session.to_owned());
            }
        }

        let told = Arc::new(Told(Mutex::default()));
        let holder: Weak<dyn Holder> = Arc::downgrade(&told) as _;
        tell_from_now_on(holder.clone());
        tell("told-of");
        assert!(told.0.lock().unwrap().contains(&"told-of".to_owned()));
        drop(told);
        assert_eq!(holder.strong_count(), 0);
        tell("told-of");
    }
}

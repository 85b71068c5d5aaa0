//! Narrowing the grammar: what one service accepts of what is well-formed.

use std::fmt;
use std::sync::Arc;

#[cfg(doc)]
use super::grammar::MAX_LEN;
use super::grammar::{self, BrokenRule, Buffer, MAX, ParseSessionIdError};
use super::session_id::SessionId;

/// Which well-formed session IDs are accepted. By default all.
///
/// Rules only ever narrow the grammar of [`SessionId`]; nothing here can widen it past what is safe
/// in a header, a log line and W3C baggage.
///
/// # Errors
///
/// [`parse`](Self::parse) returns a [`ParseSessionIdError`] that names the broken rule and the
/// length.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::{BrokenRule, SessionIdRules}; // or qorrelate_actix
///
/// let rules = SessionIdRules::new().max_len(20).matching(|id| id.starts_with("web-"));
///
/// assert!(rules.parse(b"web-1234").is_ok());
/// assert_eq!(rules.parse(b"ios-1234").unwrap_err().rule(), BrokenRule::Refused);
/// ```
#[derive(Clone)]
pub struct SessionIdRules {
    max_len: u16,
    #[cfg(feature = "uuid")]
    uuid_only: bool,
    predicate: Option<Arc<Predicate>>,
}

type Predicate = dyn Fn(&str) -> bool + Send + Sync;

impl SessionIdRules {
    /// Rules that accept every well-formed ID.
    pub const fn new() -> Self {
        Self {
            max_len: MAX,
            #[cfg(feature = "uuid")]
            uuid_only: false,
            predicate: None,
        }
    }

    /// Accepts at most `bytes` bytes. More than [`MAX_LEN`] counts as [`MAX_LEN`].
    ///
    /// ```
    /// # use qorrelate_core::{BrokenRule, SessionIdRules};
    /// let rules = SessionIdRules::new().max_len(4);
    /// assert_eq!(rules.parse(b"abcde").unwrap_err().rule(), BrokenRule::TooLong { max: 4 });
    /// ```
    #[must_use]
    pub fn max_len(mut self, bytes: usize) -> Self {
        self.max_len = bytes.try_into().unwrap_or(MAX).min(MAX);
        self
    }

    /// Accepts only UUIDs of any version (RFC 9562), hyphenated or as 32 hex digits.
    ///
    /// ```
    /// # use qorrelate_core::{BrokenRule, SessionIdRules};
    /// let rules = SessionIdRules::new().uuid_only();
    /// assert!(rules.parse(b"0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11").is_ok());
    /// assert_eq!(rules.parse(b"abc").unwrap_err().rule(), BrokenRule::NotAUuid);
    /// ```
    #[cfg(feature = "uuid")]
    #[must_use]
    pub fn uuid_only(mut self) -> Self {
        self.uuid_only = true;
        self
    }

    /// Accepts only what `predicate` answers `true` to. It sees well-formed IDs only, and a second
    /// call replaces the first.
    ///
    /// ```
    /// # use qorrelate_core::{BrokenRule, SessionIdRules};
    /// let rules = SessionIdRules::new().matching(|id| !id.contains('/'));
    /// assert_eq!(rules.parse(b"a/b").unwrap_err().rule(), BrokenRule::Refused);
    /// ```
    #[must_use]
    pub fn matching(mut self, predicate: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.predicate = Some(Arc::new(predicate));
        self
    }

    /// The bytes as a [`SessionId`], if they are well-formed and accepted.
    #[inline]
    pub fn parse(&self, bytes: &[u8]) -> Result<SessionId, ParseSessionIdError> {
        let broken = |rule| Err(ParseSessionIdError::new(rule, bytes.len()));
        let mut buffer = Buffer::new();
        let id = grammar::check(bytes, self.max_len, &mut buffer)?;
        #[cfg(feature = "uuid")]
        if self.uuid_only && !is_uuid(id.as_str()) {
            return broken(BrokenRule::NotAUuid);
        }
        if self.predicate.as_ref().is_some_and(|accepts| !accepts(id.as_str())) {
            return broken(BrokenRule::Refused);
        }
        Ok(SessionId::from_well_formed(id))
    }
}

/// Without the forms that only write a UUID in another way: `urn:uuid:…` and `{…}`.
#[cfg(feature = "uuid")]
fn is_uuid(id: &str) -> bool {
    matches!(id.len(), 32 | 36) && uuid::Uuid::try_parse(id).is_ok()
}

impl Default for SessionIdRules {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SessionIdRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rules = f.debug_struct("SessionIdRules");
        rules.field("max_len", &self.max_len);
        #[cfg(feature = "uuid")]
        rules.field("uuid_only", &self.uuid_only);
        rules.field("predicate", &self.predicate.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(rules: &SessionIdRules, id: &str) -> Option<BrokenRule> {
        rules.parse(id.as_bytes()).err().map(|error| error.rule())
    }

    #[test]
    fn nothing_widens_the_grammar() {
        let rules = SessionIdRules::new().max_len(usize::MAX).matching(|_| true);
        assert_eq!(rule(&rules, &"a".repeat(129)), Some(BrokenRule::TooLong { max: 128 }));
        assert_eq!(rule(&rules, "a b"), Some(BrokenRule::ForbiddenByte));
        assert_eq!(rule(&rules, "null"), Some(BrokenRule::Sentinel));
    }

    #[test]
    fn the_predicate_sees_only_what_is_well_formed() {
        let rules = SessionIdRules::new().matching(|id| {
            assert_ne!(id, "a b");
            false
        });
        assert_eq!(rule(&rules, "a b"), Some(BrokenRule::ForbiddenByte));
        assert_eq!(rule(&rules, "ab"), Some(BrokenRule::Refused));
    }

    #[cfg(feature = "uuid")]
    #[test]
    fn uuid_only_takes_both_plain_forms_in_either_case() {
        let rules = SessionIdRules::new().uuid_only();
        for id in [
            "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11",
            "0C3F2A6E-9F0B-4F5E-8D53-8A8A3A0D2C11",
            "0c3f2a6e9f0b4f5e8d538a8a3a0d2c11",
        ] {
            assert_eq!(rule(&rules, id), None, "{id}");
        }
        for id in [
            "urn:uuid:0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11",
            "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c1",
            "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c1g",
            "abc",
        ] {
            assert_eq!(rule(&rules, id), Some(BrokenRule::NotAUuid), "{id}");
        }
    }
}

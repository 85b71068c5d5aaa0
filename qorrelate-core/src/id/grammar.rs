//! The grammar of a session ID, and the error that says how it was broken.

use std::fmt;

/// The most bytes that a session ID may have: 128.
pub const MAX_LEN: usize = MAX as usize;

pub(crate) const MAX: u16 = 128;

/// The rule of the grammar, or of the user's own narrowing, that an ID broke.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::{BrokenRule, SessionId}; // or qorrelate_actix
///
/// let error = "undefined".parse::<SessionId>().unwrap_err();
/// assert_eq!(error.rule(), BrokenRule::Sentinel);
/// assert_eq!(error.rule().as_str(), "sentinel");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BrokenRule {
    /// It has no bytes.
    Empty,
    /// It has more bytes than allowed.
    TooLong {
        /// The most bytes allowed.
        max: u16,
    },
    /// It has a byte outside `[A-Za-z0-9._~:/+=-]`.
    ForbiddenByte,
    /// It is `undefined`, `null`, `NaN` or the nil UUID.
    Sentinel,
    /// It is `.` or `..`, which a URL resolves instead of keeping.
    DotSegment,
    /// One source gave two different values.
    Conflicting,
    /// It is not in the form that the recorder uses. See the presets of [`Source`](crate::Source), such as
    /// [`Source::posthog`](crate::Source::posthog).
    UnexpectedFormat,
    /// Only UUIDs are accepted, and it is none. See `SessionIdRules::uuid_only`.
    NotAUuid,
    /// The user's own predicate refused it. See
    /// [`SessionIdRules::matching`](crate::SessionIdRules::matching).
    Refused,
}

impl BrokenRule {
    /// A stable name for the rule, for logs and machine-readable answers.
    ///
    /// ```
    /// # use qorrelate_core::BrokenRule;
    /// assert_eq!(BrokenRule::TooLong { max: 128 }.as_str(), "too_long");
    /// ```
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong { .. } => "too_long",
            Self::ForbiddenByte => "forbidden_byte",
            Self::Sentinel => "sentinel",
            Self::DotSegment => "dot_segment",
            Self::Conflicting => "conflicting",
            Self::UnexpectedFormat => "unexpected_format",
            Self::NotAUuid => "not_a_uuid",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong { max } => write!(f, "is longer than {max} bytes"),
            Self::ForbiddenByte => f.write_str("has a byte outside [A-Za-z0-9._~:/+=-]"),
            Self::Sentinel => f.write_str("is a placeholder, not an ID"),
            Self::DotSegment => f.write_str("is a relative path"),
            Self::Conflicting => f.write_str("was sent more than once with different values"),
            Self::UnexpectedFormat => f.write_str("is not in the form that the recorder uses"),
            Self::NotAUuid => f.write_str("is not a UUID"),
            Self::Refused => f.write_str("was refused by this service's own rule"),
        }
    }
}

/// Why bytes are not a session ID: the broken rule and the length in bytes, never the bytes.
///
/// So it can be logged and sent back to the caller as it is.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::SessionId; // or qorrelate_actix
///
/// let error = "anna@example.com".parse::<SessionId>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the session ID (16 bytes) has a byte outside [A-Za-z0-9._~:/+=-]",
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ParseSessionIdError {
    rule: BrokenRule,
    // Small, as it travels with the outcome of each request. No header is longer than it can say.
    len: u32,
}

impl ParseSessionIdError {
    pub(crate) fn new(rule: BrokenRule, len: usize) -> Self {
        Self { rule, len: len.try_into().unwrap_or(u32::MAX) }
    }

    /// The rule that was broken.
    pub const fn rule(&self) -> BrokenRule {
        self.rule
    }

    /// How many bytes were received.
    #[allow(clippy::len_without_is_empty, reason = "the length of what was refused, not of this")]
    pub const fn len(&self) -> usize {
        self.len as usize
    }
}

impl fmt::Display for ParseSessionIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.len == 1 { "byte" } else { "bytes" };
        write!(f, "the session ID ({} {unit}) {}", self.len, self.rule)
    }
}

impl std::error::Error for ParseSessionIdError {}

/// A string that was checked. Only [`check`] makes one, and only this becomes a `SessionId`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WellFormed<'a>(&'a str);

impl<'a> WellFormed<'a> {
    pub(crate) const fn as_str(self) -> &'a str {
        self.0
    }
}

/// Where an ID is copied to before it is checked: whole chunks at a known alignment are checked, also as UTF-8,
/// in half the instructions that any bytes take.
#[repr(align(16))]
pub(crate) struct Buffer([u8; MAX_LEN]);

const CHUNK: usize = 16;

impl Buffer {
    #[inline]
    pub(crate) const fn new() -> Self {
        // What follows the ID in its last chunk must be allowed.
        Self([b'0'; MAX_LEN])
    }
}

/// The bytes as a well-formed session ID of at most `max` bytes, which is at most [`MAX_LEN`].
///
/// The length comes first, so that refusing a huge value costs no more than refusing a long one.
pub(crate) fn check<'a>(
    bytes: &[u8],
    max: u16,
    buffer: &'a mut Buffer,
) -> Result<WellFormed<'a>, ParseSessionIdError> {
    let broken = |rule| ParseSessionIdError::new(rule, bytes.len());
    if bytes.is_empty() {
        return Err(broken(BrokenRule::Empty));
    }
    let too_long = broken(BrokenRule::TooLong { max });
    if bytes.len() > usize::from(max) {
        return Err(too_long);
    }
    buffer.0.get_mut(..bytes.len()).ok_or(too_long)?.copy_from_slice(bytes);
    let (chunks, _) = buffer.0.as_chunks::<CHUNK>();
    let chunks = chunks.get(..bytes.len().div_ceil(CHUNK)).unwrap_or_default();
    if has_forbidden(chunks) {
        return Err(broken(BrokenRule::ForbiddenByte));
    }
    if matches!(bytes, b"." | b"..") {
        return Err(broken(BrokenRule::DotSegment));
    }
    if is_sentinel(bytes) {
        return Err(broken(BrokenRule::Sentinel));
    }
    // Every allowed byte is ASCII, so this cannot fail; saying so costs less than `unsafe`.
    let chunks = std::str::from_utf8(chunks.as_flattened()).ok();
    let id = chunks.and_then(|chunks| chunks.get(..bytes.len()));
    id.map(WellFormed).ok_or(broken(BrokenRule::ForbiddenByte))
}

/// Whether a byte is outside of `[A-Za-z0-9._~:/+=-]`. Without a branch per byte, so that the compiler looks at
/// a chunk at once.
fn has_forbidden(chunks: &[[u8; CHUNK]]) -> bool {
    let forbidden = |byte: u8| {
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let is_from_hyphen_to_colon = byte.wrapping_sub(b'-') <= b':' - b'-'; // also . / 0-9
        let is_other = (byte == b'+') | (byte == b'=') | (byte == b'_') | (byte == b'~');
        u8::from(!(is_letter | is_from_hyphen_to_colon | is_other))
    };
    let mut seen = [0; CHUNK];
    for chunk in chunks {
        for (seen, &byte) in seen.iter_mut().zip(chunk) {
            *seen |= forbidden(byte);
        }
    }
    u128::from_ne_bytes(seen) != 0
}

/// What broken front ends send in place of an ID: JavaScript's empty values made into strings,
/// and the nil UUID (RFC 9562, section 5.9) with and without hyphens.
fn is_sentinel(bytes: &[u8]) -> bool {
    match bytes.len() {
        3 => bytes.eq_ignore_ascii_case(b"nan"),
        4 => bytes.eq_ignore_ascii_case(b"null"),
        9 => bytes.eq_ignore_ascii_case(b"undefined"),
        32 => bytes.iter().all(|&byte| byte == b'0'),
        // Most IDs are a UUID and end with another digit.
        36 => bytes.ends_with(b"0") && bytes == b"00000000-0000-0000-0000-000000000000",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(bytes: &[u8]) -> Result<String, ParseSessionIdError> {
        super::check(bytes, MAX, &mut Buffer::new()).map(|id| id.as_str().to_owned())
    }

    fn rule(bytes: &[u8]) -> Option<BrokenRule> {
        check(bytes).err().map(|error| error.rule())
    }

    #[test]
    fn ids_of_real_recorders_are_accepted() {
        for id in [
            "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11", // crypto.randomUUID()
            "019ac0de-7e57-7abc-8def-0123456789ab", // PostHog, UUID v7
            "9f86d081884c7d659a2feaa0c55ad015",     // Sentry replay, Splunk
            "vVaWOXV8i52mA8rvEkYSvp2nkxTQ",         // Highlight
            "7340123456789012345",                  // OpenReplay
            "5-0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11", // LogRocket
            "HAVPKPABRGIHHKLHCPTKPMOWULBFBUKC-0",   // Dynatrace
            "sQj8/pl+Xn1aZ0bVt3rWcY",               // Application Insights
            "a",
            "...",
        ] {
            assert_eq!(check(id.as_bytes()), Ok(id.to_owned()));
        }
    }

    #[test]
    fn each_rule_is_named_with_the_length() {
        for (bytes, rule) in [
            (&b""[..], BrokenRule::Empty),
            (&[b'a'; 129], BrokenRule::TooLong { max: 128 }),
            (&[b'\r'; 65_536], BrokenRule::TooLong { max: 128 }),
            (b"a b", BrokenRule::ForbiddenByte),
            (b" a", BrokenRule::ForbiddenByte),
            (b"a\r\nb: c", BrokenRule::ForbiddenByte),
            (b"a\0", BrokenRule::ForbiddenByte),
            ("\u{e9}".as_bytes(), BrokenRule::ForbiddenByte),
            (b"\xff", BrokenRule::ForbiddenByte),
            (b"anna@example.com", BrokenRule::ForbiddenByte),
            (b"a,b", BrokenRule::ForbiddenByte),
            (b"a;b", BrokenRule::ForbiddenByte),
            (b"\"a\"", BrokenRule::ForbiddenByte),
            (b"%41", BrokenRule::ForbiddenByte),
            (b".", BrokenRule::DotSegment),
            (b"..", BrokenRule::DotSegment),
            (b"undefined", BrokenRule::Sentinel),
            (b"null", BrokenRule::Sentinel),
            (b"NULL", BrokenRule::Sentinel),
            (b"NaN", BrokenRule::Sentinel),
            (b"00000000000000000000000000000000", BrokenRule::Sentinel),
            (b"00000000-0000-0000-0000-000000000000", BrokenRule::Sentinel),
        ] {
            assert_eq!(check(bytes), Err(ParseSessionIdError::new(rule, bytes.len())));
        }
    }

    #[test]
    fn the_longest_id_is_128_bytes() {
        assert_eq!(rule(&[b'a'; 128]), None);
        assert_eq!(rule(&[b'a'; 129]), Some(BrokenRule::TooLong { max: 128 }));
    }

    proptest! {
        #[test]
        fn only_the_safe_alphabet_passes(bytes in proptest::collection::vec(any::<u8>(), 0..140)) {
            let safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~:/+=-".contains(byte);
            let expected = !bytes.is_empty()
                && bytes.len() <= 128
                && bytes.iter().all(safe)
                && !matches!(&bytes[..], b"." | b"..")
                && !is_sentinel(&bytes);
            prop_assert_eq!(check(&bytes).is_ok(), expected);
        }

        #[test]
        fn what_passes_is_kept_to_the_byte(id in "[A-Za-z0-9._~:/+=-]{10,128}") {
            prop_assume!(!is_sentinel(id.as_bytes()));
            prop_assert_eq!(check(id.as_bytes()), Ok(id));
        }

        #[test]
        fn an_error_never_shows_the_bytes(secret in "[a-z]{6,20}@[a-z]{6,20}") {
            let error = check(secret.as_bytes()).unwrap_err();
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains(&secret));
        }
    }
}

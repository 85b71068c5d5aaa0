//! [`SessionId`]: the one type a session ID travels in.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use super::grammar::{self, Buffer, MAX, ParseSessionIdError, WellFormed};
use super::labels::Labels;

/// The ID of a session-replay session: always well-formed, cheap to clone.
///
/// A value of this type is 1 to 128 bytes of `[A-Za-z0-9._~:/+=-]`. It is not `.` or `..`, and not one of
/// the sentinels that broken front ends send in place of an ID: `undefined`, `null`, `NaN` (in any
/// case) and the nil UUID. So it can't forge a log line, split a header or break a baggage list. The
/// grammar admits the IDs of every replay product seen in the field. It has no `@`, so an e-mail address
/// doesn't pass.
///
/// **An ID can contain `/`.** To put one into a URL, use [`url_encoded`](Self::url_encoded).
///
/// A malformed ID is rejected, never trimmed or escaped: two sessions must not become one.
///
/// Clones share one allocation.
///
/// With the feature `axum` of `qorrelate-tower`, and in `qorrelate-actix`, it is an extractor too, and so
/// is `Option<SessionId>`.
///
/// **It is a claim, not an identity:** whoever sends the request chooses it. Never use it for
/// authorisation, and never as a metric attribute.
///
/// # Errors
///
/// Parsing returns a [`ParseSessionIdError`], which names the broken rule and the length.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::{BrokenRule, SessionId}; // or qorrelate_actix
///
/// let id: SessionId = "abc-123-xyz".parse()?;
/// assert_eq!(id.as_str(), "abc-123-xyz");
///
/// let error = SessionId::try_from(&b"abc\r\nset-cookie: a=b"[..]).unwrap_err();
/// assert_eq!(error.rule(), BrokenRule::ForbiddenByte);
/// assert_eq!(error.len(), 20);
/// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
/// ```
///
/// Nothing but parsing makes one, and nothing changes one:
///
/// ```compile_fail,E0423
/// let id = qorrelate_core::SessionId(std::sync::Arc::from("abc"));
/// ```
///
/// ```compile_fail,E0277
/// let id: qorrelate_core::SessionId = "abc".into();
/// ```
///
/// ```compile_fail,E0614
/// let mut id: qorrelate_core::SessionId = "abc".parse().unwrap();
/// *id = *"abd";
/// ```
#[derive(Clone)]
pub struct SessionId {
    id: Arc<str>,
    /// `None` for most, so that a clone counts nothing more. Two IDs are equal whatever they are labelled.
    labels: Option<Arc<Labels>>,
}

impl SessionId {
    /// The ID as a string slice.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// let id: SessionId = "abc".parse()?;
    /// assert_eq!(id.as_str(), "abc");
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    pub fn as_str(&self) -> &str {
        &self.id
    }

    /// The ID percent-encoded for a URL: as one path segment, or as the value of a query parameter.
    ///
    /// Everything outside of the unreserved characters (RFC 3986, section 2.3) is encoded. `.` and `..`,
    /// which a URL would resolve, are not session IDs.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// let id: SessionId = "../../admin".parse()?;
    /// assert_eq!(id.url_encoded(), "..%2F..%2Fadmin");
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    pub fn url_encoded(&self) -> Cow<'_, str> {
        percent_encoding::utf8_percent_encode(self.as_str(), NOT_UNRESERVED).into()
    }

    /// A new random ID: a UUID version 4 (RFC 9562, section 5.4), hyphenated and lower-case.
    ///
    /// Nothing in Qorrelate calls this unless it is told to: an ID that no recorder made points to
    /// no replay.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// assert_eq!(SessionId::new_v4().as_str().len(), 36);
    /// ```
    #[cfg(feature = "uuid")]
    pub fn new_v4() -> Self {
        Self::from_uuid(uuid::Uuid::new_v4())
    }

    /// A new time-ordered ID: a UUID version 7 (RFC 9562, section 5.7), hyphenated and lower-case.
    ///
    /// Nothing in Qorrelate calls this unless it is told to: an ID that no recorder made points to
    /// no replay.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// assert_eq!(SessionId::new_v7().as_str().len(), 36);
    /// ```
    #[cfg(feature = "uuid")]
    pub fn new_v7() -> Self {
        Self::from_uuid(uuid::Uuid::now_v7())
    }

    pub(crate) fn from_well_formed(id: WellFormed<'_>) -> Self {
        Self::from_shared(Arc::from(id.as_str()))
    }

    /// For UUIDs that carry a version, and so are never nil.
    #[cfg(feature = "uuid")]
    fn from_uuid(uuid: uuid::Uuid) -> Self {
        let mut buffer = uuid::Uuid::encode_buffer();
        Self::from_shared(Arc::from(&*uuid.as_hyphenated().encode_lower(&mut buffer)))
    }

    const fn from_shared(id: Arc<str>) -> Self {
        Self { id, labels: None }
    }

    #[inline]
    pub(crate) fn with_labels(self, labels: Option<&Arc<Labels>>) -> Self {
        Self { labels: labels.cloned(), ..self }
    }

    #[inline]
    pub(crate) fn labels(&self) -> Option<&Labels> {
        self.labels.as_deref()
    }

    /// The shared allocation itself, which OpenTelemetry takes as a value without a copy.
    #[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.id)
    }
}

/// What must be encoded of the bytes that the grammar allows.
const NOT_UNRESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::CONTROLS.add(b':').add(b'/').add(b'+').add(b'=');

impl TryFrom<&[u8]> for SessionId {
    type Error = ParseSessionIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        grammar::check(bytes, MAX, &mut Buffer::new()).map(Self::from_well_formed)
    }
}

impl TryFrom<&str> for SessionId {
    type Error = ParseSessionIdError;

    fn try_from(id: &str) -> Result<Self, Self::Error> {
        Self::try_from(id.as_bytes())
    }
}

impl FromStr for SessionId {
    type Err = ParseSessionIdError;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        Self::try_from(id.as_bytes())
    }
}

/// Checks the string and copies it into the shared allocation.
impl TryFrom<String> for SessionId {
    type Error = ParseSessionIdError;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        Self::try_from(id.as_bytes())
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.as_str().to_owned()
    }
}

impl PartialEq for SessionId {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for SessionId {}

impl PartialOrd for SessionId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SessionId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

impl Hash for SessionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl AsRef<str> for SessionId {
    fn as_ref(&self) -> &str {
        &self.id
    }
}

impl Borrow<str> for SessionId {
    fn borrow(&self) -> &str {
        &self.id
    }
}

impl PartialEq<str> for SessionId {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for SessionId {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Takes borrowed and owned strings alike, and copies neither before it is checked.
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = SessionId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a session ID")
            }

            fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<SessionId, E> {
                id.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_one_allocation() {
        let id: SessionId = "abc".parse().unwrap();
        assert!(std::ptr::eq(id.as_str(), id.clone().as_str()));
    }

    #[test]
    fn shows_itself_plainly_and_padded() {
        let id: SessionId = "abc".parse().unwrap();
        assert_eq!(format!("{id}|{id:>5}|{id:?}"), "abc|  abc|SessionId(abc)");
    }

    #[test]
    fn is_found_in_a_map_by_str() {
        let id: SessionId = "abc".parse().unwrap();
        let map = std::collections::HashMap::from([(id, 1)]);
        assert_eq!(map.get("abc"), Some(&1));
    }

    #[cfg(feature = "uuid")]
    #[test]
    fn generated_ids_are_distinct_uuids_of_their_version() {
        for (version, new) in [(4, SessionId::new_v4 as fn() -> SessionId), (7, SessionId::new_v7)]
        {
            let (a, b) = (new(), new());
            assert_ne!(a, b);
            assert_eq!(uuid::Uuid::parse_str(a.as_str()).unwrap().get_version_num(), version);
            assert_eq!(SessionId::try_from(a.as_str()), Ok(a));
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serde_round_trips_and_refuses_what_parsing_refuses() {
        let id: SessionId = serde_json::from_str(r#""a\u002db""#).unwrap();
        assert_eq!(id, "a-b");
        assert_eq!(serde_json::to_string(&id).unwrap(), r#""a-b""#);

        let error = serde_json::from_str::<SessionId>(r#""two words""#).unwrap_err().to_string();
        assert!(error.contains("outside"), "{error}");
        assert!(!error.contains("two words"), "{error}");
    }
}

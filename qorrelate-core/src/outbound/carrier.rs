//! What a session ID travels in, to another service.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::inbound::{ATTRIBUTE, InvalidSetting, InvalidSettingReason, Source, baggage};

/// What the session ID is put into, in a request to another service: what a
/// [`Source`](crate::Source) is where it arrives.
///
/// Names are checked where the carriers are handed over.
///
/// # Example
///
/// ```
/// use qorrelate_core::Carrier;
///
/// assert_eq!(Carrier::header("X-Session-ID").to_string(), "header x-session-id");
/// assert_eq!(Carrier::baggage().to_string(), "baggage session.id");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Carrier(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Header(Arc<str>),
    Baggage(Arc<str>),
}

impl Carrier {
    /// The header of that name. Lines of that name that are there already are replaced.
    ///
    /// ```
    /// # use qorrelate_core::Carrier;
    /// assert_eq!(Carrier::header("X-Request-Session").to_string(), "header x-request-session");
    /// ```
    pub fn header(name: &str) -> Self {
        Self(Kind::Header(name.to_ascii_lowercase().into()))
    }

    /// The member `session.id` of the `baggage` header (W3C Baggage).
    ///
    /// It is merged into what is there: all other members stay, in their order and with their
    /// properties, byte for byte; several lines become one. A member `session.id` that is there
    /// already is replaced. The header is kept within 64 members and 8192 bytes (W3C Baggage,
    /// "Limits"): **when it is full, the session ID is what yields**, and is not sent this way. Send it
    /// in a header too where that matters.
    ///
    /// ```
    /// # use qorrelate_core::Carrier;
    /// assert_eq!(Carrier::baggage(), Carrier::baggage_member("session.id"));
    /// ```
    pub fn baggage() -> Self {
        Self::baggage_member(ATTRIBUTE)
    }

    /// The member of that key of the `baggage` header, as [`baggage`](Self::baggage) has it.
    ///
    /// ```
    /// # use qorrelate_core::Carrier;
    /// assert_eq!(Carrier::baggage_member("sid").to_string(), "baggage sid");
    /// ```
    pub fn baggage_member(key: &str) -> Self {
        Self(Kind::Baggage(key.into()))
    }

    /// The kind and the name.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match &self.0 {
            Kind::Header(name) => ("header", name),
            Kind::Baggage(key) => ("baggage", key),
        }
    }
}

/// Where to look for what such a carrier brings.
impl From<&Carrier> for Source {
    fn from(carrier: &Carrier) -> Self {
        match &carrier.0 {
            Kind::Header(name) => Self::header(name),
            Kind::Baggage(key) => Self::baggage_member(key),
        }
    }
}

/// Shows the kind and the name.
impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.parts();
        write!(f, "{kind} {name}")
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Carrier({self})")
    }
}

/// A carrier whose name was found good, with the header in the framework's own type.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedCarrier<N> {
    pub(crate) header: N,
    /// The member, if the header is `baggage`.
    pub(crate) baggage_key: Option<Arc<str>>,
}

impl<N: FromStr> ResolvedCarrier<N> {
    pub(crate) fn new(carrier: &Carrier) -> Result<Self, InvalidSetting> {
        // Keys of baggage are tokens (W3C Baggage), as the names of headers are (RFC 9110).
        let (kind, name) = carrier.parts();
        let invalid = || InvalidSetting::new(kind, name, InvalidSettingReason::NotAToken);
        let token = |name: &str| name.parse::<N>().map_err(|_| invalid());
        Ok(match &carrier.0 {
            Kind::Header(name) => Self { header: token(name)?, baggage_key: None },
            Kind::Baggage(key) => {
                token(key)?;
                Self { header: token(baggage::HEADER)?, baggage_key: Some(Arc::clone(key)) }
            }
        })
    }
}

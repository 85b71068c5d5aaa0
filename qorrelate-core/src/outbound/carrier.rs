//! What a session ID travels in, to another service.

use std::fmt;
use std::sync::Arc;

use crate::inbound::{ATTRIBUTE, Source};

/// Where to put the session ID in a request to another service. The service that is called looks for
/// it in the [`Source`](crate::Source) of the same name.
///
/// Names are checked when the carriers are set.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::Carrier; // or qorrelate_actix
///
/// assert_eq!(Carrier::header("X-Session-ID").to_string(), "header x-session-id");
/// assert_eq!(Carrier::baggage().to_string(), "baggage session.id");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Carrier(pub(super) Kind);

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Header(Arc<str>),
    Baggage(Arc<str>),
}

impl Carrier {
    /// The header of that name. If the request has it already, it is replaced.
    ///
    /// Headers that hold credentials (`Authorization`, `Proxy-Authorization`, `Cookie`, `Set-Cookie`)
    /// are an error.
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
    /// properties, byte for byte; several lines become one. A stale member `session.id` is replaced. The
    /// header is kept within 64 members and 8192 bytes (W3C Baggage, "Limits"): **if the baggage header is
    /// full, the session ID is left out.** Send it in a header too if that matters.
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

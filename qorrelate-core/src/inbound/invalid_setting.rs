//! The error for a setting that can't work, found where it is made.

use std::error::Error;
use std::fmt;

/// A setting that can't work: a name that no header can have, an empty list of sources, a header that
/// holds a secret.
///
/// Its `Debug` is its message too, so that `fn main() -> Result<(), Box<dyn Error>>` prints the reason.
///
/// # Example
///
/// ```
/// use qorrelate_core::adapter::Settings;
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::{InvalidSettingReason, Source}; // or qorrelate_actix
///
/// let error = Settings::<http::HeaderName>::new()
///     .sources([Source::header("X Session ID")])
///     .unwrap_err();
/// assert_eq!(error.to_string(), "\"x session id\" is not a valid header name");
/// assert_eq!(error.reason(), InvalidSettingReason::NotAToken);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidSetting {
    /// What the name is of: a header, a cookie, a query parameter, a baggage member.
    kind: &'static str,
    name: String,
    reason: InvalidSettingReason,
}

/// Why a setting can't work. See [`InvalidSetting`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidSettingReason {
    /// The name is not a token (RFC 9110, section 5.6.2), as the names of headers, cookies and baggage
    /// members are. The names of query parameters must be tokens here too.
    NotAToken,
    /// The header or cookie line holds credentials, which would end up on spans and logs as the
    /// session ID. A single cookie is read with `Source::cookie`.
    Secret,
    /// An attribute's name is empty, has white space or control characters, or is `session.id`, which is
    /// written anyway.
    NotAnAttribute,
    /// A replay's URL does not begin with `https://` or `http://` and a host, or has no `{id}` after it.
    NotAReplayUrl,
    /// The list is empty: nothing would ever be found, or sent.
    Empty,
}

impl InvalidSetting {
    pub(crate) fn new(kind: &'static str, name: &str, reason: InvalidSettingReason) -> Self {
        Self { kind, name: name.to_owned(), reason }
    }

    pub(crate) fn empty(kind: &'static str) -> Self {
        Self::new(kind, "", InvalidSettingReason::Empty)
    }

    /// The name that was given; empty if there was none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong.
    pub const fn reason(&self) -> InvalidSettingReason {
        self.reason
    }
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, reason } = self;
        match reason {
            InvalidSettingReason::NotAToken => write!(f, "{name:?} is not a valid {kind} name"),
            InvalidSettingReason::Secret => write!(
                f,
                "the {kind} {name:?} is for credentials, not for a session ID, which is written to \
                 spans and logs"
            ),
            InvalidSettingReason::NotAnAttribute => {
                write!(f, "{name:?} is not a valid name for an additional {kind}")
            }
            InvalidSettingReason::NotAReplayUrl => write!(
                f,
                "{name:?} is not a valid {kind}: it must be like https://replays.example.com/{{id}}"
            ),
            InvalidSettingReason::Empty => write!(f, "the list of {kind} is empty"),
        }
    }
}

impl fmt::Debug for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidSetting({self})")
    }
}

impl Error for InvalidSetting {}

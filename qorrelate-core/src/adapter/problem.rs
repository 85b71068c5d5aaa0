//! The answer to a request that must have a session ID and has none.

use std::fmt;

use crate::id::SessionId;
use crate::inbound::SessionIdOutcome;

/// The request has no valid session ID, and the code needs one.
///
/// A handler with a `SessionId` argument then answers a problem document (RFC 9457): with status 400 if
/// the client sent no valid ID, with status 500 if no layer or middleware looked for one.
///
/// # Example
///
/// ```
/// use qorrelate_core::SessionId;
///
/// let error = SessionId::require().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "a session ID is required, but no session layer ran for this request",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSessionId {
    /// `None` if no layer ran.
    outcome: Option<SessionIdOutcome>,
}

impl SessionId {
    /// The session of the request that is being handled, for code that can't do without.
    ///
    /// # Errors
    ///
    /// [`MissingSessionId`], which both adapters' frameworks turn into a response that says why.
    ///
    /// ```
    /// # use qorrelate_core::SessionId;
    /// let id: SessionId = "abc".parse()?;
    /// assert_eq!(id.in_scope(SessionId::require).unwrap(), id);
    /// assert!(SessionId::require().is_err());
    /// # Ok::<(), qorrelate_core::ParseSessionIdError>(())
    /// ```
    pub fn require() -> Result<Self, MissingSessionId> {
        MissingSessionId::check(None)
    }
}

/// The session of a request that has this outcome in its extensions, if any; else the current one.
///
/// # Errors
///
/// [`MissingSessionId`], with the answer to send.
pub fn require_session(
    extension: Option<&SessionIdOutcome>,
) -> Result<SessionId, MissingSessionId> {
    MissingSessionId::check(extension)
}

impl MissingSessionId {
    /// The session of a request that has this outcome in its extensions, if any; else the one that is
    /// current.
    pub(crate) fn check(extension: Option<&SessionIdOutcome>) -> Result<SessionId, Self> {
        let outcome = match extension {
            Some(outcome) => Some(outcome.clone()),
            None => match SessionId::current() {
                Some(id) => return Ok(id),
                None => SessionIdOutcome::current(),
            },
        };
        match outcome.as_ref().and_then(SessionIdOutcome::session_id) {
            Some(id) => Ok(id.clone()),
            None => Err(Self { outcome }),
        }
    }

    /// The outcome of a request that has this one in its extensions, if any; else the current one.
    #[cfg(any(feature = "actix-web", feature = "axum"))]
    pub(crate) fn outcome_of(
        extension: Option<&SessionIdOutcome>,
    ) -> Result<SessionIdOutcome, Self> {
        extension.cloned().or_else(SessionIdOutcome::current).ok_or(Self { outcome: None })
    }

    /// What was found instead. `None` if no layer or middleware looked for an ID.
    pub const fn outcome(&self) -> Option<&SessionIdOutcome> {
        self.outcome.as_ref()
    }

    /// The answer to send. If no layer ran, which only the service's developers can fix, an `ERROR`
    /// event says what to do.
    pub fn problem(&self) -> Problem {
        if self.outcome.is_none() {
            tracing::error!(
                target: "qorrelate",
                "{self}: add SessionIdLayer or SessionIdMiddleware outside what requires the session. \
                 If the request is handled in another task, as behind a Buffer, add it again there, or \
                 call insert_extension(true)"
            );
        }
        // Nothing here needs escaping: rules are words of ours, and sources are named by tokens.
        let (status, title, members) = match &self.outcome {
            None => (500, "Internal Server Error", r#""reason":"no_layer""#.to_owned()),
            Some(SessionIdOutcome::Malformed { error, .. }) => {
                let rule = error.rule().as_str();
                (400, "Bad Request", format!(r#""reason":"malformed","rule":"{rule}""#))
            }
            Some(_) => (400, "Bad Request", r#""reason":"missing""#.to_owned()),
        };
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{self}",{members}}}"#
        );
        Problem { status, body }
    }
}

impl fmt::Display for MissingSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Some(outcome) => write!(f, "a valid session ID is required: {outcome}"),
            None => {
                f.write_str("a session ID is required, but no session layer ran for this request")
            }
        }
    }
}

impl std::error::Error for MissingSessionId {}

/// A problem document (RFC 9457) that says why a request was refused, without a byte of what was sent.
///
/// # Example
///
/// ```
/// use qorrelate_core::SessionId;
///
/// let problem = SessionId::require().unwrap_err().problem();
/// assert_eq!(problem.status(), 500);
/// assert!(problem.body().contains(r#""reason":"no_layer""#));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: u16,
    body: String,
}

impl Problem {
    /// The media type: `application/problem+json`.
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// The status code: 400 (Bad Request), or 500 (Internal Server Error) if no layer ran.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The document, as JSON.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The document, as JSON, for a framework to own.
    pub fn into_body(self) -> String {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BrokenRule;
    use crate::id::ParseSessionIdError;
    use crate::inbound::Source;

    #[test]
    fn every_outcome_makes_valid_json() {
        let malformed = |rule| {
            Some(SessionIdOutcome::Malformed {
                source: Source::header("!#$%&'*+-.^_`|~09az"),
                error: ParseSessionIdError::new(rule, 7),
                generated: None,
            })
        };
        let missing = Some(SessionIdOutcome::Missing { generated: None });
        for (outcome, status, reason, rule) in [
            (None, 500, "no_layer", None),
            (missing, 400, "missing", None),
            (malformed(BrokenRule::Empty), 400, "malformed", Some("empty")),
            (malformed(BrokenRule::TooLong { max: 5 }), 400, "malformed", Some("too_long")),
            (malformed(BrokenRule::ForbiddenByte), 400, "malformed", Some("forbidden_byte")),
            (malformed(BrokenRule::Sentinel), 400, "malformed", Some("sentinel")),
            (malformed(BrokenRule::DotSegment), 400, "malformed", Some("dot_segment")),
            (malformed(BrokenRule::Conflicting), 400, "malformed", Some("conflicting")),
            (malformed(BrokenRule::NotAUuid), 400, "malformed", Some("not_a_uuid")),
            (malformed(BrokenRule::Refused), 400, "malformed", Some("refused")),
        ] {
            let problem = MissingSessionId { outcome }.problem();
            let json: serde_json::Value = serde_json::from_str(problem.body()).unwrap();
            assert_eq!(problem.status(), status);
            assert_eq!(json["status"], status);
            assert_eq!(json["reason"], reason);
            assert_eq!(json["rule"].as_str(), rule);
        }
    }
}

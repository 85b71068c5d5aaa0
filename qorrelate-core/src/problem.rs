//! The answer to a request that must have a session ID and has none.

use crate::outcome::SessionIdOutcome;

/// A problem document (RFC 9457) that says why a request without a valid session ID was refused,
/// without a byte of what was sent.
///
/// # Example
///
/// ```
/// use qorrelate_core::{Problem, SessionIdOutcome};
///
/// let problem = Problem::session_id_required(&SessionIdOutcome::current());
/// assert_eq!(Problem::STATUS, 400);
/// assert!(problem.body().contains(r#""reason":"missing""#));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    body: String,
}

impl Problem {
    /// The status code: 400, Bad Request.
    pub const STATUS: u16 = 400;

    /// The media type: `application/problem+json`.
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// The problem of a request with that outcome.
    pub fn session_id_required(outcome: &SessionIdOutcome) -> Self {
        // Nothing here needs escaping: rules are words of ours, and sources are named by tokens.
        let members = match outcome {
            SessionIdOutcome::Malformed { error, .. } => {
                format!(r#""reason":"malformed","rule":"{}""#, error.rule().as_str())
            }
            _ => r#""reason":"missing""#.to_owned(),
        };
        Self {
            body: format!(
                r#"{{"type":"about:blank","title":"Bad Request","status":{},"detail":"A valid session ID is required: {outcome}.",{members}}}"#,
                Self::STATUS,
            ),
        }
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
    use crate::grammar::{BrokenRule, ParseSessionIdError};
    use crate::source::Source;

    #[test]
    fn every_outcome_makes_valid_json() {
        let malformed = |rule| SessionIdOutcome::Malformed {
            source: Source::header("!#$%&'*+-.^_`|~09az"),
            error: ParseSessionIdError::new(rule, 7),
            generated: None,
        };
        for (outcome, reason, rule) in [
            (SessionIdOutcome::Missing { generated: None }, "missing", None),
            (malformed(BrokenRule::Empty), "malformed", Some("empty")),
            (malformed(BrokenRule::TooLong { max: 5 }), "malformed", Some("too_long")),
            (malformed(BrokenRule::ForbiddenByte), "malformed", Some("forbidden_byte")),
            (malformed(BrokenRule::Sentinel), "malformed", Some("sentinel")),
            (malformed(BrokenRule::Conflicting), "malformed", Some("conflicting")),
            (malformed(BrokenRule::NotAUuid), "malformed", Some("not_a_uuid")),
            (malformed(BrokenRule::Refused), "malformed", Some("refused")),
        ] {
            let problem = Problem::session_id_required(&outcome);
            let json: serde_json::Value = serde_json::from_str(problem.body()).unwrap();
            assert_eq!(json["status"], 400);
            assert_eq!(json["title"], "Bad Request");
            assert_eq!(json["reason"], reason);
            assert_eq!(json["rule"].as_str(), rule);
        }
    }
}

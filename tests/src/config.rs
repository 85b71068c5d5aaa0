//! The settings that the cases are run with, made the same way for every adapter.

use std::sync::Mutex;

use qorrelate_core::{RequestView, SessionId, SessionIdOutcome, Source};

/// How the layer or middleware is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Config {
    /// As it comes.
    Default,
    /// The header of PostHog, which is looked up in any case.
    OtherHeader,
    /// The query parameter `session_id`.
    Query,
    /// The cookie `sid`.
    Cookie,
    /// The baggage member `session.id`.
    Baggage,
    /// The session part of `X-Highlight-Request`.
    Function,
    /// `X-Session-ID`, then baggage, then the cookie `sid`.
    Several,
    /// All sources are named, and clients call it directly.
    PublicEdge,
    /// Presets of several recorders, by header, baggage and cookie.
    Recorders,
    /// The same, called directly by clients, with the first cookie.
    RecordersAtPublicEdge,
    /// UUIDs only.
    UuidOnly,
    /// At most 8 bytes.
    MaxLen,
    /// Only what starts with `web-`.
    Predicate,
    /// Makes an ID if there is none, but not if it is malformed.
    GenerateOnMissing,
    /// Makes an ID if it is malformed, but not if there is none.
    GenerateOnMalformed,
    /// Sends the ID back in `X-Session-ID`.
    Echo,
    /// Calls a hook that keeps what it was given, in [`HOOKED`].
    Hook,
}

/// What the hook of [`Config::Hook`] was called with, and the session it was called in.
pub static HOOKED: Mutex<Vec<(SessionIdOutcome, Option<SessionId>)>> = Mutex::new(Vec::new());

/// The hook of [`Config::Hook`].
pub fn keep(outcome: &SessionIdOutcome, _: &dyn RequestView) {
    HOOKED.lock().unwrap().push((outcome.clone(), SessionId::current()));
}

/// The presets of [`Config::Recorders`] that are read at the public edge too.
pub fn recorders() -> [Source; 4] {
    [Source::openreplay(), Source::highlight(), Source::posthog(), Source::datadog()]
}

/// Sets up any adapter's layer: that this compiles for each shows that their methods are the same.
#[macro_export]
macro_rules! configured {
    ($layer:expr, $config:expr) => {{
        use qorrelate_core::{Policy, RequestView, SessionId, SessionIdRules, Source};
        use $crate::config::Config;

        let layer = $layer;
        match $config {
            Config::Default => layer,
            Config::OtherHeader => layer.sources([Source::header("X-POSTHOG-SESSION-ID")]).unwrap(),
            Config::Query => layer.sources([Source::query("session_id")]).unwrap(),
            Config::Cookie => layer.sources([Source::cookie("sid")]).unwrap(),
            Config::Baggage => layer.sources([Source::baggage()]).unwrap(),
            Config::Function => layer
                .sources([Source::function(|request: &dyn RequestView| {
                    let value = request.header("X-Highlight-Request")?;
                    let (session, _) = std::str::from_utf8(value).ok()?.split_once('/')?;
                    Some(session.to_owned())
                })])
                .unwrap(),
            Config::Several => layer
                .sources([Source::header("X-Session-ID"), Source::baggage(), Source::cookie("sid")])
                .unwrap(),
            Config::PublicEdge => layer
                .sources([
                    Source::header("X-Session-ID"),
                    Source::baggage(),
                    Source::cookie("sid"),
                    Source::query("session_id"),
                    Source::function(|request: &dyn RequestView| {
                        Some(String::from_utf8_lossy(request.header("x-other")?).into_owned())
                    }),
                ])
                .unwrap()
                .public_edge(),
            Config::Recorders => layer
                .sources($crate::config::recorders().into_iter().chain([Source::splunk_cookie()]))
                .unwrap(),
            Config::RecordersAtPublicEdge => layer
                .sources($crate::config::recorders().into_iter().chain([
                    Source::splunk_cookie().read_at_public_edge(),
                    Source::hyperdx_cookie(),
                ]))
                .unwrap()
                .public_edge(),
            Config::UuidOnly => layer.rules(SessionIdRules::new().uuid_only()),
            Config::MaxLen => layer.rules(SessionIdRules::new().max_len(8)),
            Config::Predicate => {
                layer.rules(SessionIdRules::new().matching(|id| id.starts_with("web-")))
            }
            Config::GenerateOnMissing => layer.on_missing(Policy::Generate(SessionId::new_v7)),
            Config::GenerateOnMalformed => layer.on_malformed(Policy::Generate(SessionId::new_v4)),
            Config::Echo => layer.response_header("X-Session-ID").unwrap(),
            Config::Hook => layer.on_outcome($crate::config::keep),
        }
    }};
}

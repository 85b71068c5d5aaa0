//! The recorders that send their session ID with each request by themselves, in a header or in baggage.

use super::format::{self, Format};
use super::{Carrier, Place, Preset};
use crate::inbound::Source;

/// The propagator of OpenTelemetry and of what was made from Datadog's SDK.
const TRACE_CONTEXT: &[&str] = &["traceparent", "tracestate"];

/// # Recorders
///
/// What browser recorders send by themselves, once an option of theirs says so. Each preset knows where the ID is
/// and what it looks like; anything else there is malformed. If the recorder says that it isn't recording, there
/// is no ID.
///
/// With several recorders in one page, the first in your list that has an ID wins: put the one first whose
/// replays you open.
impl Source {
    /// Datadog RUM: `baggage: session.id=<UUID>`.
    ///
    /// In the SDK: `allowedTracingUrls`. A session that is not sampled sends nothing, unless
    /// `traceContextInjection` is `'all'`. The other members of the baggage, such as `user.id`, are not read.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::datadog().to_string(), "preset datadog");
    /// ```
    pub fn datadog() -> Self {
        Self::preset(baggage("datadog", "session.id", format::uuid).other_request_headers(&[
            "traceparent",
            "tracestate",
            "x-datadog-origin",
            "x-datadog-parent-id",
            "x-datadog-sampling-priority",
            "x-datadog-trace-id",
        ]))
    }

    /// OpenObserve RUM: `baggage: session.id=<UUID>`.
    ///
    /// In the SDK: `allowedTracingUrls`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::openobserve().to_string(), "preset openobserve");
    /// ```
    pub fn openobserve() -> Self {
        let preset = baggage("openobserve", "session.id", format::uuid);
        Self::preset(preset.other_request_headers(TRACE_CONTEXT))
    }

    /// Sentry Session Replay: `baggage: sentry-replay_id=<32 hex digits>`.
    ///
    /// In the SDK: `replayIntegration()` and `tracePropagationTargets`. A replay that is kept only if an error
    /// happens has no ID until the first error in the page.
    ///
    /// To link the errors of a backend that uses the `sentry` crate, see `SentryReplay` (feature `sentry`).
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::sentry_replay().to_string(), "preset sentry_replay");
    /// ```
    pub fn sentry_replay() -> Self {
        let preset = baggage("sentry_replay", "sentry-replay_id", format::hex_32);
        let source = Self::preset(preset.other_request_headers(&["sentry-trace", "traceparent"]));
        #[cfg(feature = "sentry")]
        let source = source.label(|labels| labels.is_sentry_replay = true);
        source
    }

    /// Rollbar: `baggage: rollbar.session.id=<32 hex digits>`.
    ///
    /// In the SDK: `tracing: { enabled: true, propagation: { enabledHeaders: ['baggage'], … } }`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::rollbar().to_string(), "preset rollbar");
    /// ```
    pub fn rollbar() -> Self {
        Self::preset(baggage("rollbar", "rollbar.session.id", format::hex_32))
    }

    /// Alibaba Cloud ARMS RUM: `baggage: sid=<32 hex digits>`.
    ///
    /// In the SDK: `tracing: { enable: true, baggage: true }`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::arms().to_string(), "preset arms");
    /// ```
    pub fn arms() -> Self {
        let preset = baggage("arms", "sid", format::hex_32);
        Self::preset(preset.other_request_headers(TRACE_CONTEXT))
    }

    /// PostHog: `X-POSTHOG-SESSION-ID: <UUID>`.
    ///
    /// In the SDK: `tracing_headers: ['api.example.com']`, host names without ports. The distinct ID, which may
    /// be an e-mail address, is not read.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::posthog().to_string(), "preset posthog");
    /// ```
    pub fn posthog() -> Self {
        let preset =
            headers("posthog", [("x-posthog-session-id", Carrier::HeaderList, format::uuid)]);
        Self::preset(preset.other_request_headers(&[
            "x-posthog-window-id",
            "x-posthog-distinct-id",
            "traceparent",
        ]))
    }

    /// Highlight, now LaunchDarkly: `X-Highlight-Request: <session>/<request>`.
    ///
    /// In the SDK: `tracingOrigins`. Before the recorder has a session, the first part is empty.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::highlight().to_string(), "preset highlight");
    /// ```
    pub fn highlight() -> Self {
        let place = ("x-highlight-request", Carrier::HeaderList, format::highlight as Format);
        Self::preset(headers("highlight", [place]).other_request_headers(&["traceparent"]))
    }

    /// OpenReplay: the session ID in `X-OpenReplay-SessionToken`, or as a decimal number in
    /// `openReplaySession.id`.
    ///
    /// In the SDK: `network: { sessionTokenHeader: true, tokenUrlMatcher }`. **The token is a credential.** Only
    /// the ID is taken out of it, and the header is marked as sensitive, so that nothing further in shows it.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::openreplay().to_string(), "preset openreplay");
    /// ```
    pub fn openreplay() -> Self {
        let token = |name| Place {
            is_secret: true,
            ..Place::new(Carrier::HeaderList, name, format::openreplay_token)
        };
        Self::preset(Preset::new(
            "openreplay",
            [
                token("x-openreplay-sessiontoken"),
                token("x-openreplay-session-token"),
                // Others write the token here too, which is malformed, and as secret.
                Place {
                    is_secret: true,
                    ..Place::new(Carrier::HeaderList, "openreplaysession.id", format::openreplay_id)
                },
            ],
        ))
    }

    /// LogRocket: the ID in the URL that the page puts into `X-LogRocket-URL`.
    ///
    /// In the page: `LogRocket.getSessionURL(url => …)`. The ID is the segment `<digit>-<UUID>`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::logrocket().to_string(), "preset logrocket");
    /// ```
    pub fn logrocket() -> Self {
        let place = ("x-logrocket-url", Carrier::Header, format::logrocket_url as Format);
        Self::preset(headers("logrocket", [place]))
    }

    /// FullStory: the ID `<device>:<session>` in the URL that the page puts into `X-FullStory-URL`.
    ///
    /// In the page: `FullStory('getSession', { format: 'url' })`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::fullstory().to_string(), "preset fullstory");
    /// ```
    pub fn fullstory() -> Self {
        let place = ("x-fullstory-url", Carrier::Header, format::fullstory_url as Format);
        Self::preset(headers("fullstory", [place]))
    }

    /// Dynatrace RUM: the visit's ID in `x-dtpc`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::dynatrace().to_string(), "preset dynatrace");
    /// ```
    pub fn dynatrace() -> Self {
        let place = ("x-dtpc", Carrier::HeaderList, format::dynatrace as Format);
        Self::preset(headers("dynatrace", [place]))
    }
}

fn baggage(name: &'static str, key: &'static str, format: Format) -> Preset {
    Preset::new(name, [Place::new(Carrier::Baggage, key, format)])
}

fn headers<const N: usize>(
    name: &'static str,
    places: [(&'static str, Carrier, Format); N],
) -> Preset {
    Preset::new(name, places.map(|(name, carrier, format)| Place::new(carrier, name, format)))
}

//! What the cross-adapter suites share: real servers, a raw client, and a record of the telemetry.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test harness")]

pub mod client;
pub mod config;
pub mod matrix;
pub mod peer;
pub mod server;
pub mod telemetry;

/// The code of the README and of the pages in docs/, as tests.
#[cfg(doctest)]
mod pages {
    macro_rules! pages {
        ($($name:ident $path:literal)*) => {
            $(
                #[doc = include_str!($path)]
                struct $name;
            )*
        };
    }

    pages! {
        Readme "../../README.md"
        Guide "../../docs/guide.md"
        Recorders "../../docs/recorders/README.md"
        Amplitude "../../docs/recorders/amplitude.md"
        AppInsights "../../docs/recorders/app-insights.md"
        Arms "../../docs/recorders/arms.md"
        AwsRum "../../docs/recorders/aws-rum.md"
        Clarity "../../docs/recorders/clarity.md"
        Datadog "../../docs/recorders/datadog.md"
        Dynatrace "../../docs/recorders/dynatrace.md"
        Faro "../../docs/recorders/faro.md"
        Fullstory "../../docs/recorders/fullstory.md"
        Highlight "../../docs/recorders/highlight.md"
        Hyperdx "../../docs/recorders/hyperdx.md"
        Logrocket "../../docs/recorders/logrocket.md"
        Openobserve "../../docs/recorders/openobserve.md"
        Openreplay "../../docs/recorders/openreplay.md"
        Others "../../docs/recorders/others.md"
        Posthog "../../docs/recorders/posthog.md"
        Rollbar "../../docs/recorders/rollbar.md"
        Sentry "../../docs/recorders/sentry.md"
        Splunk "../../docs/recorders/splunk.md"
    }
}

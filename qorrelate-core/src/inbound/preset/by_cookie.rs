//! The recorders that keep their session ID in a first-party cookie.

use std::borrow::Cow;

use super::format::{self, Format};
#[cfg(feature = "json-cookies")]
use super::json;
use super::{Carrier, Place, Preset};
use crate::inbound::Source;

/// # Recorders that keep a cookie
///
/// For requests that carry no header of the recorder: page loads, images, forms, `sendBeacon`, `EventSource` and
/// `WebSocket`. A browser sends the cookie to the page's own site only.
///
/// At the [public edge](crate::adapter::Settings::public_edge), add
/// [`read_at_public_edge`](Self::read_at_public_edge).
impl Source {
    /// Datadog RUM: `_dd_s_v2`, or `_dd_s` of older versions. A session that has ended, or is not sampled, is
    /// none.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::datadog_cookie().to_string(), "preset datadog_cookie");
    /// ```
    pub fn datadog_cookie() -> Self {
        let format = format::datadog_cookie as Format;
        Self::preset(cookies("datadog_cookie", [("_dd_s_v2", format), ("_dd_s", format)]))
    }

    /// OpenObserve RUM: `_oo_s_v2`. A session that has ended, or is not sampled, is none.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::openobserve_cookie().to_string(), "preset openobserve_cookie");
    /// ```
    pub fn openobserve_cookie() -> Self {
        Self::preset(cookies(
            "openobserve_cookie",
            [("_oo_s_v2", format::datadog_cookie as Format)],
        ))
    }

    /// Azure Application Insights: `ai_session`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::app_insights_cookie().to_string(), "preset app_insights_cookie");
    /// ```
    pub fn app_insights_cookie() -> Self {
        let cookie = ("ai_session", format::app_insights as Format);
        let preset = cookies("app_insights_cookie", [cookie]);
        Self::preset(preset.other_request_headers(&["request-id", "traceparent"]))
    }

    /// Microsoft Clarity: `<user>/<session>`, from `_clck` and `_clsk`. The session alone is not unique.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::clarity_cookie().to_string(), "preset clarity_cookie");
    /// ```
    pub fn clarity_cookie() -> Self {
        let cookie = |name: &'static str| Place::new(Carrier::Cookie, name, format::clarity);
        Self::preset(Preset::joined("clarity_cookie", [cookie("_clck"), cookie("_clsk")]))
    }

    /// PostHog: `ph_<project key>_posthog`. The key is the one that the page gives to `posthog.init`.
    ///
    /// Nothing else in the cookie is read; it holds the distinct ID too.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::posthog_cookie("phc_abc").to_string(), "preset posthog_cookie");
    /// ```
    #[cfg(feature = "json-cookies")]
    pub fn posthog_cookie(project_key: &str) -> Self {
        let cookie = format!("ph_{project_key}_posthog");
        Self::preset(cookies("posthog_cookie", [(cookie, json::posthog as Format)]))
    }

    /// Splunk RUM: `_splunk_rum_sid`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::splunk_cookie().to_string(), "preset splunk_cookie");
    /// ```
    #[cfg(feature = "json-cookies")]
    pub fn splunk_cookie() -> Self {
        Self::preset(cookies("splunk_cookie", [("_splunk_rum_sid", json::otel_web as Format)]))
    }

    /// HyperDX: `__rum_sid`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::hyperdx_cookie().to_string(), "preset hyperdx_cookie");
    /// ```
    #[cfg(feature = "json-cookies")]
    pub fn hyperdx_cookie() -> Self {
        let preset = cookies("hyperdx_cookie", [("__rum_sid", json::otel_web as Format)]);
        Self::preset(preset.other_request_headers(&["traceparent"]))
    }

    /// Amplitude: `<device>/<session>`, the ID of the replay, from `AMP_<first 10 of the API key>`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// let source = Source::amplitude_cookie("0123456789abcdef");
    /// assert_eq!(source.to_string(), "preset amplitude_cookie");
    /// ```
    #[cfg(feature = "json-cookies")]
    pub fn amplitude_cookie(api_key: &str) -> Self {
        let cookie = format!("AMP_{}", api_key.chars().take(10).collect::<String>());
        let preset = cookies("amplitude_cookie", [(cookie, json::amplitude as Format)]);
        Self::preset(preset.keeps_slash_in_links())
    }

    /// AWS CloudWatch RUM: `cwr_s`.
    ///
    /// ```
    /// # use qorrelate_core::Source;
    /// assert_eq!(Source::aws_rum_cookie().to_string(), "preset aws_rum_cookie");
    /// ```
    #[cfg(feature = "json-cookies")]
    pub fn aws_rum_cookie() -> Self {
        let preset = cookies("aws_rum_cookie", [("cwr_s", json::aws_rum as Format)]);
        Self::preset(preset.other_request_headers(&["x-amzn-trace-id"]))
    }
}

fn cookies<const N: usize>(
    name: &'static str,
    places: [(impl Into<Cow<'static, str>>, Format); N],
) -> Preset {
    Preset::new(name, places.map(|(name, format)| Place::new(Carrier::Cookie, name, format)))
}

//! The session in OpenTelemetry's own propagation: for whatever calls the global propagator already,
//! and for the headers of messages.

use std::fmt;

use super::context::{SessionContextExt, session_for};
use super::opentelemetry::Context;
use super::opentelemetry::baggage::BaggageExt;
use super::opentelemetry::propagation::text_map_propagator::FieldIter;
use super::opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use crate::id::{SessionId, SessionIdRules};
use crate::inbound::token::Token;
use crate::inbound::{DEFAULT_HEADER, InvalidSetting, RequestHead, Search, Source};
use crate::outbound::baggage;
use crate::outbound::carrier::Carrier;
use crate::outbound::message::find;
use crate::outbound::resolved_carrier::ResolvedCarrier;

/// An OpenTelemetry propagator that carries the session: for instrumented clients and servers, and
/// for the header carriers of Kafka, NATS and AMQP clients, which call the global propagator already.
///
/// By default the session travels in the header `x-session-id`. A malformed ID is ignored.
///
/// **It doesn't check hosts.** Whatever calls the propagator for an outgoing request sends the session
/// along, to any host; only code that calls nothing but your own services should. For all other
/// requests use the client layers.
///
/// # Together with others
///
/// In a `TextMapCompositePropagator` it works with the propagators for the trace context and for
/// baggage. With [`Carrier::baggage`], it must come *after* the SDK's `BaggagePropagator`, because each
/// of the two sets the whole header: ours then holds the session and all other members of the context's
/// baggage, encoded as W3C Baggage requires. **If all that is too long or too much (8192 bytes, 64
/// members), the session ID is left out** and the header stays as the SDK wrote it. Send the ID in a
/// header too if that matters.
///
/// # Example
///
/// ```
/// use std::collections::HashMap;
///
#[doc = concat!("use ", this_version!(opentelemetry), "::Context; // the crate `opentelemetry` of this version")]
#[doc = concat!("use ", this_version!(opentelemetry), "::propagation::{TextMapCompositePropagator, TextMapPropagator};")]
#[doc = concat!("use ", this_version!(opentelemetry_sdk), "::propagation::{BaggagePropagator, TraceContextPropagator};")]
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::SessionId; // or qorrelate_actix
#[doc = concat!("use qorrelate_tower::", this_version!(opentelemetry), "::{SessionContextExt, SessionPropagator};")]
///
/// let propagator = TextMapCompositePropagator::new(vec![
///     Box::new(TraceContextPropagator::new()),
///     Box::new(BaggagePropagator::new()),
///     Box::new(SessionPropagator::new()),
/// ]); // in an app: opentelemetry::global::set_text_map_propagator(propagator)
///
/// let id: SessionId = "abc".parse().unwrap();
/// let mut headers = HashMap::new();
/// id.in_scope(|| propagator.inject(&mut headers)); // as in a handler
/// assert_eq!(headers["x-session-id"], "abc");
///
/// let cx = propagator.extract_with_context(&Context::new(), &headers);
/// assert_eq!(cx.session_id(), Some(&id));
/// ```
#[derive(Clone)]
pub struct SessionPropagator {
    carriers: Vec<ResolvedCarrier<Token>>,
    /// The same places, and the rules, where messages come in.
    inbound: Search<Token>,
    fields: Vec<String>,
}

impl SessionPropagator {
    /// A propagator of the header `x-session-id`.
    pub fn new() -> Self {
        let carriers = ResolvedCarrier::default_list();
        Self { carriers, inbound: Search::new(), fields: vec![DEFAULT_HEADER.to_owned()] }
    }

    /// Puts the session into all of these, and looks for it in them in this order, instead of in the
    /// header `x-session-id`.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] if there are none, if a name is not valid, or if the header is for credentials.
    ///
    /// # Example
    ///
    /// ```
    /// # use qorrelate_core as qorrelate_tower;
    /// use qorrelate_tower::Carrier; // or qorrelate_actix
    #[doc = concat!("use qorrelate_tower::", this_version!(opentelemetry), "::SessionPropagator;")]
    ///
    /// let propagator = SessionPropagator::new()
    ///     .carriers([Carrier::header("x-session-id"), Carrier::baggage()])?;
    /// # let _ = propagator;
    /// # Ok::<(), qorrelate_core::InvalidSetting>(())
    /// ```
    pub fn carriers(
        mut self,
        carriers: impl IntoIterator<Item = Carrier>,
    ) -> Result<Self, InvalidSetting> {
        let carriers: Vec<_> = carriers.into_iter().collect();
        self.carriers = ResolvedCarrier::list(&carriers)?;
        self.inbound = self.inbound.sources(carriers.iter().map(Source::from))?;
        self.fields =
            self.carriers.iter().map(|carrier| carrier.header.as_str().to_owned()).collect();
        Ok(self)
    }

    /// Accepts only what these rules accept, where messages come in.
    ///
    /// ```
    /// # use qorrelate_core::SessionIdRules;
    #[doc = concat!("# use qorrelate_core::", this_version!(opentelemetry), "::SessionPropagator;")]
    /// let propagator = SessionPropagator::new().rules(SessionIdRules::new().max_len(36));
    /// # let _ = propagator;
    /// ```
    #[must_use]
    pub fn rules(mut self, rules: SessionIdRules) -> Self {
        self.inbound.rules = rules;
        self
    }

    fn inject_id(&self, id: &SessionId, cx: &Context, injector: &mut dyn Injector) {
        for ResolvedCarrier { header, baggage_key } in &self.carriers {
            match baggage_key {
                None => injector.set(header.as_str(), id.as_str().to_owned()),
                Some(key) => {
                    let lines = baggage_of(cx);
                    let lines = lines.iter().map(String::as_bytes);
                    if let Some(merged) = baggage::with_member(lines, key, id.as_str())
                        && let Ok(merged) = String::from_utf8(merged)
                    {
                        injector.set(header.as_str(), merged);
                    }
                }
            }
        }
    }
}

/// The members of a context's baggage. One whose key is not a token cannot be sent.
fn baggage_of(cx: &Context) -> Vec<String> {
    let mut members: Vec<_> = cx
        .baggage()
        .iter()
        .filter_map(|(key, (value, properties))| {
            baggage::member_with(key.as_str().trim(), value.as_str(), properties.as_str())
        })
        .collect();
    // The baggage has no order of its own.
    members.sort_unstable();
    members
}

impl Default for SessionPropagator {
    fn default() -> Self {
        Self::new()
    }
}

impl TextMapPropagator for SessionPropagator {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        if let Some(id) = session_for(Some(cx)) {
            self.inject_id(&id, cx, injector);
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        match find(&self.inbound, &Message(extractor)) {
            Some(id) => cx.with_session_id(id),
            None => cx.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

impl fmt::Debug for SessionPropagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionPropagator").field("fields", &self.fields).finish_non_exhaustive()
    }
}

/// How core sees the headers of a message.
struct Message<'a>(&'a dyn Extractor);

impl RequestHead for Message<'_> {
    type HeaderName = Token;

    fn header_values(&self, name: &Token) -> impl Iterator<Item = &[u8]> {
        self.0.get_all(name.as_str()).into_iter().flatten().map(str::as_bytes)
    }

    fn method(&self) -> &str {
        ""
    }

    fn path(&self) -> &str {
        ""
    }

    fn query(&self) -> Option<&str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::opentelemetry::baggage::KeyValueMetadata;
    use super::super::opentelemetry::propagation::TextMapCompositePropagator;
    use super::super::opentelemetry::trace::{
        SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
    };
    use super::super::opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
    use super::*;

    type Headers = HashMap<String, String>;

    /// Header lines in the order sent, several of one name among them.
    struct Lines(Vec<(&'static str, &'static str)>);

    impl Extractor for Lines {
        fn get(&self, key: &str) -> Option<&str> {
            self.get_all(key)?.first().copied()
        }

        fn keys(&self) -> Vec<&str> {
            self.0.iter().map(|(key, _)| *key).collect()
        }

        fn get_all(&self, key: &str) -> Option<Vec<&str>> {
            let values = self.0.iter().filter(|(name, _)| *name == key);
            Some(values.map(|(_, value)| *value).collect())
        }
    }

    fn id() -> SessionId {
        "abc".parse().unwrap()
    }

    fn both() -> SessionPropagator {
        let carriers = [Carrier::header("X-Session-ID"), Carrier::baggage()];
        SessionPropagator::new().carriers(carriers).unwrap()
    }

    fn inject(propagator: &dyn TextMapPropagator, cx: &Context) -> Headers {
        let mut headers = Headers::new();
        propagator.inject_context(cx, &mut headers);
        headers
    }

    fn extract(
        propagator: &dyn TextMapPropagator,
        lines: &[(&'static str, &'static str)],
    ) -> Option<String> {
        let cx = propagator.extract_with_context(&Context::new(), &Lines(lines.to_vec()));
        cx.session_id().map(ToString::to_string)
    }

    /// What is in the baggage, decoded, by the grammar.
    fn member(headers: &Headers, key: &str) -> Option<String> {
        let line = headers.get("baggage")?.as_bytes();
        let mut values = crate::inbound::baggage::values(std::iter::once(line), key);
        let value = values.next()?;
        assert_eq!(values.next(), None, "{key} twice in {headers:?}");
        Some(String::from_utf8(value.into_owned()).unwrap())
    }

    #[test]
    fn what_is_injected_is_extracted() {
        for propagator in [SessionPropagator::new(), both()] {
            let headers = inject(&propagator, &Context::new().with_session_id(id()));
            let cx = propagator.extract_with_context(&Context::new(), &headers);
            assert_eq!(cx.session_id(), Some(&id()));
        }
    }

    #[test]
    fn without_a_session_nothing_is_injected() {
        assert_eq!(inject(&both(), &Context::new()), Headers::new());
    }

    #[test]
    fn what_is_missing_or_malformed_leaves_the_context_as_it_is() {
        let other: SessionId = "other".parse().unwrap();
        let cx = Context::new().with_session_id(other.clone());
        for lines in [
            &[][..],
            &[("x-session-id", "a b")],
            &[("x-session-id", "a"), ("x-session-id", "b")],
            &[("baggage", "session.id=a%20b")],
        ] {
            assert_eq!(extract(&both(), lines), None, "{lines:?}");
            let left = both().extract_with_context(&cx, &Lines(lines.to_vec()));
            assert_eq!(left.session_id(), Some(&other));
        }
    }

    #[test]
    fn carriers_are_looked_in_in_their_order() {
        let lines = [("x-session-id", "header"), ("baggage", "a=1"), ("baggage", "session.id=bag")];
        assert_eq!(extract(&both(), &lines).unwrap(), "header");
        assert_eq!(extract(&both(), &lines[1..]).unwrap(), "bag");
        assert_eq!(extract(&SessionPropagator::new(), &lines[1..]), None);
        let narrow = both().rules(SessionIdRules::new().max_len(4));
        assert_eq!(extract(&narrow, &lines).unwrap(), "bag");
    }

    #[test]
    fn fields_are_the_names_of_the_headers() {
        assert_eq!(SessionPropagator::new().fields().collect::<Vec<_>>(), ["x-session-id"]);
        assert_eq!(both().fields().collect::<Vec<_>>(), ["x-session-id", "baggage"]);
    }

    #[test]
    fn names_that_are_no_tokens_are_refused_when_they_are_set() {
        for carrier in [Carrier::header("x session"), Carrier::baggage_member("a=b")] {
            let error = SessionPropagator::new().carriers([carrier.clone()]).unwrap_err();
            assert_eq!(error.reason(), crate::inbound::InvalidSettingReason::NotAToken, "{carrier}");
        }
    }

    fn composite(
        propagators: Vec<Box<dyn TextMapPropagator + Send + Sync>>,
    ) -> TextMapCompositePropagator {
        TextMapCompositePropagator::new(propagators)
    }

    fn with_baggage() -> Context {
        Context::new().with_session_id(id()).with_baggage([
            KeyValueMetadata::new("tenant", "a=b, 50% \"of\" c;d\\e \u{e9}", ""),
            KeyValueMetadata::new("user", "anna", "since=2020;beta;note=x, y"),
            KeyValueMetadata::new("session.id", "stale", ""),
        ])
    }

    #[test]
    fn it_works_along_with_the_trace_context_and_baggage() {
        let propagator = composite(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
            Box::new(both()),
        ]);
        let span = SpanContext::new(
            TraceId::from(1),
            SpanId::from(2),
            TraceFlags::SAMPLED,
            true,
            TraceState::NONE,
        );
        let cx = with_baggage().with_remote_span_context(span.clone());
        let headers = inject(&propagator, &cx);
        assert_eq!(headers["x-session-id"], "abc");
        assert!(headers["traceparent"].starts_with("00-0000"));
        assert_eq!(member(&headers, "session.id").unwrap(), "abc");
        assert_eq!(member(&headers, "tenant").unwrap(), "a=b, 50% \"of\" c;d\\e \u{e9}");
        assert!(
            headers["baggage"].contains("user=anna;since=2020;beta;note=x%2C%20y"),
            "{headers:?}"
        );

        let back = propagator.extract_with_context(&Context::new(), &headers);
        assert_eq!(back.session_id(), Some(&id()));
        assert_eq!(back.span().span_context(), &span);
        assert_eq!(back.baggage().get("user").unwrap().as_str(), "anna");
    }

    #[test]
    fn before_the_baggage_propagator_it_still_has_its_header() {
        let propagator = composite(vec![Box::new(both()), Box::new(BaggagePropagator::new())]);
        let headers = inject(&propagator, &with_baggage());
        assert_eq!(headers["x-session-id"], "abc");
        let back = propagator.extract_with_context(&Context::new(), &headers);
        assert_eq!(back.session_id(), Some(&id()));
    }
}

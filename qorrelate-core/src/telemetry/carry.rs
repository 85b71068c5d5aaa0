//! Sessions that are carried along with `tracing` spans.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Level, Span, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::hint::Hint;
use super::open_span::OpenSpan;
use super::versions::{self, ActiveSpans};
use crate::current::{Carried, EnteredSpan, carried, enter_span, exit_span};
use crate::id::SessionId;
use crate::inbound::ATTRIBUTE;

/// Carries the session along with each `tracing` span, to wherever the span is entered again: a task
/// spawned with `.instrument(span)` or `.in_current_span()`, another thread. Wrap it around the
/// OpenTelemetry layer, or around the `fmt` layer if there is no other. One is enough.
///
/// A span belongs to the session that is current when the span is made, else to its parent's. While the
/// span is entered, that session is current. A span made in a request without a session belongs to none.
///
/// # Filters
///
/// A filter that belongs to the OpenTelemetry layer goes inside: `carry_session(layer.with_filter(f))`.
/// Then spans that the filter hides still carry their session. In
/// `carry_session(layer).with_filter(f)` they don't.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "opentelemetry_0_33")] {
/// # use opentelemetry_0_33 as opentelemetry;
/// # use opentelemetry_sdk_0_33 as opentelemetry_sdk;
/// use opentelemetry::trace::TracerProvider;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::carry_session; // or qorrelate_actix
/// use qorrelate_tower::opentelemetry_0_33::SessionSampler; // or qorrelate_actix
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let provider = SdkTracerProvider::builder().with_sampler(SessionSampler::default()).build();
/// let to_opentelemetry = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
/// let subscriber = tracing_subscriber::registry().with(carry_session(to_opentelemetry));
/// # let _ = subscriber;
/// # }
/// ```
pub fn carry_session<S, L>(layer: L) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    let number = LAYERS.fetch_add(1, Ordering::Relaxed);
    // Layers are called in this order, on the way in and on the way out alike.
    Before { number }.and_then(layer).and_then(After { number })
}

/// How many were made, each with a number of its own.
static LAYERS: AtomicUsize = AtomicUsize::new(0);

/// Says once that there is no `carry_session` in this process.
pub(super) fn hint_if_missing() {
    static MISSING: Hint = Hint::new();

    if LAYERS.load(Ordering::Relaxed) == 0 && MISSING.is_due(Level::WARN) {
        tracing::warn!(
            target: "qorrelate",
            "there is no carry_session in the tracing subscriber: spans don't keep their session where \
             they are entered again, as in spawned tasks. Wrap the OpenTelemetry or fmt layer in \
             carry_session(..)"
        );
    }
}

/// In the extensions of a span: its session.
struct OfSession(SessionId);

/// In the extensions of a span: it was made in a request without a session.
struct OfNoSession;

/// In the extensions of a span: it declares the field `session.id`.
struct DeclaresField;

/// In the extensions of a span: it has a value for the field `session.id`.
struct HasValue;

/// In the extensions of a span: the OpenTelemetry spans that are active while it is entered, and were not
/// before.
struct OwnSpans(ActiveSpans);

/// What is kept with a span.
fn kept_with<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Carried {
    let extensions = span.extensions();
    if let Some(OfSession(id)) = extensions.get() {
        Carried::Session(id.clone())
    } else if extensions.get::<OfNoSession>().is_some() {
        Carried::NoSession
    } else {
        Carried::Nothing
    }
}

/// Whether a span has a value for the field `session.id`.
pub(super) fn has_value<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> bool {
    declares_field(span) && span.extensions().get::<HasValue>().is_some()
}

fn declares_field<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> bool {
    span.metadata().fields().field(ATTRIBUTE).is_some()
}

/// What must be done before the wrapped layer does its part.
#[derive(Debug)]
struct Before {
    number: usize,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Before {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let kept = kept_for_new(&span);
        self.tell_of_parent(&span, &kept);
        match kept {
            Carried::Session(session) => {
                span.extensions_mut().replace(OfSession(session));
            }
            Carried::NoSession => {
                span.extensions_mut().replace(OfNoSession);
            }
            Carried::Nothing => {}
        }
        if declares_field(&span) {
            span.extensions_mut().replace(DeclaresField);
            if SessionField::is_in(|field| attributes.record(field)) {
                span.extensions_mut().replace(HasValue);
            }
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if SessionField::is_in(|field| values.record(field))
            && let Some(span) = ctx.span(id)
        {
            span.extensions_mut().replace(HasValue);
        }
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        match kept_with(&span) {
            Carried::Nothing => {
                self.tell(id, Carried::Nothing);
                if LOOKS_FOR_OWN_SPANS.load(Ordering::Relaxed) {
                    let _ = ACTIVE_BEFORE.try_with(|before| before.set(Some(ActiveSpans::now())));
                }
            }
            kept => enter_span(self.entered(id, false), kept.into_session()),
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(&id) {
            self.tell(&id, kept_with(&span));
        }
    }
}

/// tracing-opentelemetry starts its span late: when the span is entered for the first time, when it gets
/// its first child, or when it is closed. The span is sampled, and tagged, then. So whatever the wrapped
/// layer is told that may start a span, it is told in the session of that span.
impl Before {
    /// Until [`After`] is told.
    fn tell(&self, id: &Id, kept: Carried) {
        let in_session = matches!(carried(), Carried::Session(_));
        if in_session || !matches!(kept, Carried::Nothing) {
            enter_span(self.entered(id, true), kept.into_session());
        }
    }

    fn tell_of_parent<'a, R: LookupSpan<'a>>(&self, span: &SpanRef<'a, R>, kept: &Carried) {
        if let Some(parent) = span.parent() {
            let of_parent = kept_with(&parent);
            if of_parent != *kept {
                self.tell(&span.id(), of_parent);
            }
        }
    }

    fn entered(&self, id: &Id, is_being_told: bool) -> EnteredSpan {
        EnteredSpan { layer: self.number, span: id.into_u64(), is_being_told }
    }
}

fn kept_for_new<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Carried {
    carried()
        .or_else(|| span.parent().map_or(Carried::Nothing, |parent| kept_with(&parent)))
        .or_else(|| SessionId::current().map_or(Carried::Nothing, Carried::Session))
}

/// What must be done after the wrapped layer has done its part.
#[derive(Debug)]
struct After {
    number: usize,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for After {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        self.exit(id, true);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        if let Ok(Some(before)) = ACTIVE_BEFORE.try_with(Cell::take)
            && let Some(span) = ctx.span(id)
        {
            let own = ActiveSpans::now().without(before);
            if own != ActiveSpans::default() {
                span.extensions_mut().replace(OwnSpans(own));
            }
        }
        self.exit(id, true);
        hint_if_sampler_is_missing();
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        self.exit(id, false);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.exit(&id, true);
    }
}

impl After {
    fn exit(&self, id: &Id, is_being_told: bool) {
        exit_span(EnteredSpan { layer: self.number, span: id.into_u64(), is_being_told });
    }
}

/// Whether a layer stands inside of the tracing layer, and so must know which OpenTelemetry span is the
/// current `tracing` span's own.
static LOOKS_FOR_OWN_SPANS: AtomicBool = AtomicBool::new(false);

pub(super) fn look_for_own_spans() {
    LOOKS_FOR_OWN_SPANS.store(true, Ordering::Relaxed);
}

thread_local! {
    /// What was active before the wrapped layer entered its span.
    static ACTIVE_BEFORE: Cell<Option<ActiveSpans>> = const { Cell::new(None) };
}

/// Says once that spans of this process start without `SessionSampler`. Known from the first span of a
/// session that is active in OpenTelemetry.
fn hint_if_sampler_is_missing() {
    static IS_KNOWN: AtomicBool = AtomicBool::new(false);

    if IS_KNOWN.load(Ordering::Relaxed) || !matches!(carried(), Carried::Session(_)) {
        return;
    }
    let Some(is_missing) = versions::is_sampler_missing() else { return };
    if !IS_KNOWN.swap(true, Ordering::Relaxed) && is_missing {
        tracing::warn!(
            target: "qorrelate",
            "there is no SessionSampler in the OpenTelemetry set-up: spans are not tagged with \
             session.id. Add .with_sampler(SessionSampler::default()) to the tracer provider"
        );
    }
}

/// Looks for a value of the field `session.id`.
pub(super) struct SessionField(bool);

impl SessionField {
    pub(super) fn is_in(record: impl FnOnce(&mut dyn Visit)) -> bool {
        let mut field = Self(false);
        record(&mut field);
        field.0
    }
}

impl Visit for SessionField {
    fn record_debug(&mut self, field: &Field, _: &dyn std::fmt::Debug) {
        self.0 |= field.name() == ATTRIBUTE;
    }
}

pub(super) fn look_at(span: &Span) -> OpenSpan {
    let known = span.with_subscriber(|(id, dispatch): (&Id, &Dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        let kept = kept_with(&span);
        let extensions = span.extensions();
        let declares_field = extensions.get::<DeclaresField>().is_some();
        Some(OpenSpan {
            is_of_a_request: !matches!(kept, Carried::Nothing),
            has_value: declares_field.then(|| extensions.get::<HasValue>().is_some()),
            own_spans: extensions.get::<OwnSpans>().map(|own| own.0),
        })
    });
    known.flatten().unwrap_or_default()
}

/// Makes the session of a span that is open already known to it.
pub(super) fn remember(span: &Span, session: &SessionId) {
    span.with_subscriber(|(id, dispatch): (&Id, &Dispatch)| {
        if let Some(registry) = dispatch.downcast_ref::<Registry>()
            && let Some(span) = registry.span(id)
        {
            span.extensions_mut().replace(OfSession(session.clone()));
        }
    });
}

//! Sessions that are carried along with `tracing` spans.

use std::cell::RefCell;

use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Span, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::current::SessionGuard;
use crate::id::SessionId;

/// Carries the session along with each `tracing` span, to wherever the span is entered again: a task
/// spawned with `.instrument(span)` or `.in_current_span()`, another thread. Wrap it around the
/// OpenTelemetry layer.
///
/// tracing-opentelemetry does much of this by itself, and two things remain that need this:
///
/// - with `with_context_activation(false)`, log records and lines of spawned tasks, and spans whose
///   parent was opened before the session was known;
/// - with `SessionIdLayer` or `SessionIdMiddleware` *inside* of the tracing layer, tasks spawned with
///   `.in_current_span()`, because the request span is older than its session.
///
/// A span belongs to the session that is current when it is made, else to that of its parent. While
/// it is entered, that session is current.
///
/// # Example
///
/// ```
/// use opentelemetry::trace::TracerProvider;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use qorrelate_core::{SessionSampler, carry_session};
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let provider = SdkTracerProvider::builder().with_sampler(SessionSampler::default()).build();
/// let to_opentelemetry = tracing_opentelemetry::layer()
///     .with_tracer(provider.tracer("shop"))
///     .with_context_activation(false);
/// let subscriber = tracing_subscriber::registry().with(carry_session(to_opentelemetry));
/// # let _ = subscriber;
/// ```
pub fn carry_session<S, L>(layer: L) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    // Layers are called in this order, on the way in and on the way out alike.
    Before.and_then(layer).and_then(After)
}

/// The session of a span, kept with the span.
struct SessionOfSpan(SessionId);

fn session_of<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Option<SessionId> {
    span.extensions().get::<SessionOfSpan>().map(|session| session.0.clone())
}

/// What must be done before the OpenTelemetry layer does its part.
#[derive(Debug)]
struct Before;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Before {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let session = SessionId::current().or_else(|| session_of(&span.parent()?));
        if let Some(session) = session {
            span.extensions_mut().insert(SessionOfSpan(session));
        }
    }

    /// The OpenTelemetry span may be started only now, and is sampled and tagged then.
    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        enter(&id, &ctx);
    }
}

/// What must be done after the OpenTelemetry layer has done its part.
#[derive(Debug)]
struct After;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for After {
    /// On top of the context of the OpenTelemetry span, which stays active.
    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        enter(id, &ctx);
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        exit(id);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        exit(&id);
    }
}

/// Makes the session of a span that is open already known to it.
pub(crate) fn remember(span: &Span, session: &SessionId) {
    span.with_subscriber(|(id, dispatch): (&Id, &Dispatch)| {
        if dispatch.downcast_ref::<Before>().is_some()
            && let Some(registry) = dispatch.downcast_ref::<Registry>()
            && let Some(span) = registry.span(id)
        {
            let mut extensions = span.extensions_mut();
            if extensions.get_mut::<SessionOfSpan>().is_none() {
                extensions.insert(SessionOfSpan(session.clone()));
            }
        }
    });
}

thread_local! {
    /// The spans of sessions that are entered on this thread, innermost last.
    static ENTERED: RefCell<Vec<(Id, SessionGuard)>> = const { RefCell::new(Vec::new()) };
}

fn enter<S: Subscriber + for<'a> LookupSpan<'a>>(id: &Id, ctx: &Context<'_, S>) {
    if let Some(session) = ctx.span(id).and_then(|span| session_of(&span)) {
        let guard = session.enter();
        let _ = ENTERED.try_with(|entered| entered.borrow_mut().push((id.clone(), guard)));
    }
}

fn exit(id: &Id) {
    let left = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        let position = entered.iter().rposition(|(entered, _)| entered == id)?;
        Some(entered.remove(position))
    });
    // Not while the list is borrowed: what is dropped here may end a span, and so come back.
    drop(left);
}

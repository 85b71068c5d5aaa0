//! What people write themselves, to be measured beside.

use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use opentelemetry::context::{FutureExt, WithContext};
use opentelemetry::global;
use opentelemetry::propagation::Injector;
use tower_service::Service;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// A middleware as it is written by hand: it checks the header's bytes, records the field of the open span,
/// and puts the ID into the request's extensions and into the OpenTelemetry context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByHand<S>(pub(crate) S);

#[derive(Debug, Clone)]
#[allow(dead_code, reason = "nothing reads it here")]
struct Id(Arc<str>);

impl<S, B, R> Service<Request<B>> for ByHand<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = WithContext<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut context = opentelemetry::Context::current();
        if let Some(id) = id_of(&request) {
            Span::current().record("session.id", &*id);
            request.extensions_mut().insert(Id(Arc::clone(&id)));
            context = context.with_value(Id(id));
        }
        let future = {
            let _guard = context.clone().attach();
            self.0.call(request)
        };
        future.with_context(context)
    }
}

fn id_of<B>(request: &Request<B>) -> Option<Arc<str>> {
    let value = request.headers().get("x-session-id")?.to_str().ok()?;
    let is_id = (1..=128).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/+=".contains(&byte));
    is_id.then(|| Arc::from(value))
}

/// What reqwest-tracing 0.7.1 does to a request that it sends (`src/otel.rs`): its own is private, and
/// for an older OpenTelemetry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inject<S>(pub(crate) S);

impl<S: Service<Request<B>>, B> Service<Request<B>> for Inject<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        global::get_text_map_propagator(|injector| {
            let context = Span::current().context();
            injector.inject_context(&context, &mut RequestCarrier(request.headers_mut()));
        });
        self.0.call(request)
    }
}

struct RequestCarrier<'a>(&'a mut HeaderMap);

impl Injector for RequestCarrier<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = HeaderName::from_str(key).expect("Must be header name");
        let value = HeaderValue::from_str(&value).expect("Must be a header value");
        self.0.insert(name, value);
    }
}

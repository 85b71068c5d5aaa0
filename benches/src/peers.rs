//! What people write themselves, to be measured beside.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use opentelemetry::context::{FutureExt, WithContext};
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

/// A layer as it is written by hand: it checks the header's bytes, records the field of the open span,
/// and puts the ID into the request's extensions and into the OpenTelemetry context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByHandLayer;

impl<S> Layer<S> for ByHandLayer {
    type Service = ByHand<S>;

    fn layer(&self, inner: S) -> ByHand<S> {
        ByHand { inner }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct ByHand<S> {
    inner: S,
}

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
        self.inner.poll_ready(cx)
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
            self.inner.call(request)
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

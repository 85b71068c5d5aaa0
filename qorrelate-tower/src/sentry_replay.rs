//! The layer that tells Sentry's transactions to which replay they belong.

use std::task::{Context, Poll};

use http::Request;
use qorrelate_core::adapter::set_replay_on_sentry_scope;
use tower_layer::Layer;
use tower_service::Service;

use crate::inner::inner_methods;

/// Says on the transaction of each request to which replay in Sentry it belongs, if
/// [`Source::sentry_replay`](crate::Source::sentry_replay) found one. Events and logs need
/// [`SentryReplay`](crate::SentryReplay).
///
/// Put it inside `NewSentryLayer`, which gives each request a hub of its own. **Outside of it, requests that
/// run at the same time get one another's replays.**
///
/// # Example
///
/// ```
/// # #[cfg(feature = "axum")]
/// # {
/// use axum::extract::Request;
/// use axum::{Router, routing::get};
/// use qorrelate_tower::{SentryReplayLayer, SessionIdLayer, Source};
/// use sentry::integrations::tower::{NewSentryLayer, SentryHttpLayer};
///
/// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer((
///     SessionIdLayer::new().sources([Source::sentry_replay()])?, // outermost
///     NewSentryLayer::<Request>::new_from_top(),
///     SentryHttpLayer::new().enable_transaction(),
///     SentryReplayLayer::new(),
/// ));
/// # }
/// # Ok::<(), qorrelate_tower::InvalidSetting>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SentryReplayLayer {}

impl SentryReplayLayer {
    /// The layer.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl<S> Layer<S> for SentryReplayLayer {
    type Service = SentryReplayService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SentryReplayService { inner }
    }
}

/// The service that [`SentryReplayLayer`] makes.
#[derive(Debug, Clone, Copy)]
pub struct SentryReplayService<S> {
    inner: S,
}

impl<S> SentryReplayService<S> {
    inner_methods!();
}

impl<S, B> Service<Request<B>> for SentryReplayService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        set_replay_on_sentry_scope();
        self.inner.call(request)
    }
}

const _: () = {
    const fn is_layer<T: Clone + Send + Sync + 'static>() {}
    is_layer::<SentryReplayLayer>();
    is_layer::<SentryReplayService<()>>();
};

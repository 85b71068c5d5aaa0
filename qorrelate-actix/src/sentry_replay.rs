//! The middleware that tells Sentry's transactions to which replay they belong.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use qorrelate_core::adapter::set_replay_on_sentry_scope;
use sentry_core::{Hub, SentryFuture, SentryFutureExt};

/// Says on the transaction of each request to which replay in Sentry it belongs, if
/// [`Source::sentry_replay`](crate::Source::sentry_replay) found one. Events and logs need
/// [`SentryReplay`](crate::SentryReplay).
///
/// Put it between `SessionIdMiddleware` and `sentry_actix::Sentry`. The latter ends the transaction outside
/// of the hub that it makes for the request, so this makes another around it.
///
/// # Example
///
/// ```
/// use actix_web::{App, web};
/// use qorrelate_actix::{SentryReplayMiddleware, SessionIdMiddleware, Source};
/// use sentry::integrations::actix::Sentry;
///
/// let app = App::new()
///     .route("/", web::get().to(|| async { "hello" }))
///     .wrap(Sentry::builder().start_transaction(true).finish())
///     .wrap(SentryReplayMiddleware::new())
///     .wrap(SessionIdMiddleware::new().sources([Source::sentry_replay()])?); // outermost
/// # let _ = app;
/// # Ok::<(), qorrelate_actix::InvalidSetting>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SentryReplayMiddleware {}

impl SentryReplayMiddleware {
    /// The middleware.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl<S, B> Transform<S, ServiceRequest> for SentryReplayMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = SentryReplayService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SentryReplayService { inner }))
    }
}

/// The service that [`SentryReplayMiddleware`] makes.
#[derive(Debug, Clone, Copy)]
pub struct SentryReplayService<S> {
    inner: S,
}

impl<S, B> Service<ServiceRequest> for SentryReplayService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = SentryFuture<S::Future>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let hub = Arc::new(Hub::new_from_top(Hub::current()));
        let future = Hub::run(Arc::clone(&hub), || {
            set_replay_on_sentry_scope();
            self.inner.call(request)
        });
        future.bind_hub(hub)
    }
}

const _: () = {
    const fn is_middleware<T: Clone + Send + Sync + 'static>() {}
    is_middleware::<SentryReplayMiddleware>();
    is_middleware::<SentryReplayService<()>>();
};

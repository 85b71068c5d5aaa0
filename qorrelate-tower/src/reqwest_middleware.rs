//! reqwest-middleware: forwarding the session below all other middleware.

use std::pin::Pin;

use http::Extensions;
use qorrelate_core::adapter::Given;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};

use crate::reqwest_client::SessionClient;

impl SessionClient {
    /// The same client, with middleware around it.
    ///
    /// The session is put in innermost, so that each request that is sent is checked against the list by
    /// itself, whatever the middleware made of it: a retry elsewhere, another URL. To send another session
    /// than the current one, give it with the request: `request.with_extension(session_id)`.
    ///
    /// # Example
    ///
    /// ```
    /// use qorrelate_tower::{PropagateSessionIdExt, PropagateSessionIdLayer};
    /// # struct Retry;
    /// # #[async_trait::async_trait]
    /// # impl reqwest_middleware::Middleware for Retry {
    /// #     async fn handle(
    /// #         &self,
    /// #         request: reqwest::Request,
    /// #         extensions: &mut http::Extensions,
    /// #         next: reqwest_middleware::Next<'_>,
    /// #     ) -> reqwest_middleware::Result<reqwest::Response> {
    /// #         next.run(request, extensions).await
    /// #     }
    /// # }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = reqwest::Client::builder()
    ///     .build_propagating(PropagateSessionIdLayer::to_hosts(["payments.internal"])?)?
    ///     .with_middleware(|builder| builder.with(Retry));
    /// # let _ = client;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_middleware(
        self,
        add: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> ClientWithMiddleware {
        add(ClientBuilder::new(self.client().clone())).with(PutSessionId(self)).build()
    }
}

struct PutSessionId(SessionClient);

/// Written as `async_trait` would, without the box that it would add.
impl Middleware for PutSessionId {
    fn handle<'a, 'b, 'c, 'future>(
        &'a self,
        mut request: Request,
        extensions: &'b mut Extensions,
        next: Next<'c>,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'future>>
    where
        Self: 'future,
        'a: 'future,
        'b: 'future,
        'c: 'future,
    {
        self.0.put_into(&mut request, Given::new(extensions.get(), extensions.get()));
        next.run(request, extensions)
    }
}

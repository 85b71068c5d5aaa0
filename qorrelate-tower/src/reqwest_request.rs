//! reqwest: a request in the making, which gets the session when it is sent.

use std::fmt::Display;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use qorrelate_core::SessionId;
use qorrelate_core::adapter::Given;
use reqwest::{Body, Error, Request, RequestBuilder, Response, Version};

use crate::reqwest_client::SessionClient;

/// A request of a [`SessionClient`]. Its methods are those of reqwest's `RequestBuilder`.
///
/// It gets the session when it is [sent](Self::send), not before: then the host is known, and so are all
/// the headers that were copied into it.
///
/// The methods `json`, `form`, `query` and `multipart` need a feature of this crate: `reqwest-json`,
/// `reqwest-form`, `reqwest-query`, `reqwest-multipart`. What else a `RequestBuilder` has is reached with
/// [`map`](Self::map).
///
/// # Example
///
/// ```
/// # async fn example(
/// #     client: qorrelate_tower::SessionClient,
/// #     inbound: http::HeaderMap,
/// # ) -> Result<(), reqwest::Error> {
/// let response = client
///     .post("http://payments.internal/charge")
///     .headers(inbound) // with a session header or without
///     .body("12.50")
///     .send()
///     .await?;
/// # let _ = response;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct SessionRequestBuilder {
    client: SessionClient,
    builder: RequestBuilder,
    /// Another session than the current one.
    session: Option<SessionId>,
}

impl SessionRequestBuilder {
    pub(crate) const fn new(client: SessionClient, builder: RequestBuilder) -> Self {
        Self { client, builder, session: None }
    }

    /// A builder that begins with a request that is there already.
    pub fn from_parts(client: SessionClient, request: Request) -> Self {
        let builder = RequestBuilder::from_parts(client.client().clone(), request);
        Self::new(client, builder)
    }

    /// Sends the request in this session, instead of the one that is current.
    ///
    /// ```
    /// # use qorrelate_tower::SessionId;
    /// # async fn example(
    /// #     client: qorrelate_tower::SessionClient,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let id: SessionId = "abc".parse()?; // from a job's record
    /// let response = client.get("http://payments.internal/balance").session(&id).send().await?;
    /// # let _ = response;
    /// # Ok(())
    /// # }
    /// ```
    pub fn session(mut self, id: &SessionId) -> Self {
        self.session = Some(id.clone());
        self
    }

    /// Changes the request with reqwest's own builder. The client stays, whichever the builder is of.
    ///
    /// ```
    /// # fn example(client: qorrelate_tower::SessionClient) {
    /// # let with_signature = |builder: reqwest::RequestBuilder| builder;
    /// let request = client.get("http://payments.internal/balance").map(with_signature);
    /// # let _ = request;
    /// # }
    /// ```
    pub fn map(mut self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        self.builder = change(self.builder);
        self
    }

    /// Adds a header.
    pub fn header<K, V>(self, key: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        self.map(|builder| builder.header(key, value))
    }

    /// Sets these headers; those of the same names are replaced.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.map(|builder| builder.headers(headers))
    }

    /// Adds HTTP basic authentication.
    pub fn basic_auth<U: Display, P: Display>(self, username: U, password: Option<P>) -> Self {
        self.map(|builder| builder.basic_auth(username, password))
    }

    /// Adds HTTP bearer authentication.
    pub fn bearer_auth<T: Display>(self, token: T) -> Self {
        self.map(|builder| builder.bearer_auth(token))
    }

    /// Sets the body.
    pub fn body<T: Into<Body>>(self, body: T) -> Self {
        self.map(|builder| builder.body(body))
    }

    /// Sets the body to that value as JSON.
    #[cfg(feature = "reqwest-json")]
    pub fn json<T: serde::Serialize + ?Sized>(self, json: &T) -> Self {
        self.map(|builder| builder.json(json))
    }

    /// Sets the body to that value as a form (`application/x-www-form-urlencoded`).
    #[cfg(feature = "reqwest-form")]
    pub fn form<T: serde::Serialize + ?Sized>(self, form: &T) -> Self {
        self.map(|builder| builder.form(form))
    }

    /// Sets the body to that form (`multipart/form-data`).
    #[cfg(feature = "reqwest-multipart")]
    pub fn multipart(self, form: reqwest::multipart::Form) -> Self {
        self.map(|builder| builder.multipart(form))
    }

    /// Adds that value to the query of the URL.
    #[cfg(feature = "reqwest-query")]
    pub fn query<T: serde::Serialize + ?Sized>(self, query: &T) -> Self {
        self.map(|builder| builder.query(query))
    }

    /// Sets a timeout for this request, in place of the client's: from connecting until the body of the
    /// response has ended.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|builder| builder.timeout(timeout))
    }

    /// Sets the version of HTTP.
    pub fn version(self, version: Version) -> Self {
        self.map(|builder| builder.version(version))
    }

    /// The request, **without the session**: it is put in by whatever sends the request, such as
    /// [`SessionClient::execute`]. What [`session`](Self::session) was given is not part of it.
    ///
    /// # Errors
    ///
    /// Whatever was wrong with the request: a URL that is none, an invalid header.
    pub fn build(self) -> Result<Request, Error> {
        self.builder.build()
    }

    /// The same as [`build`](Self::build), with the client.
    pub fn build_split(self) -> (SessionClient, Result<Request, Error>) {
        (self.client, self.builder.build())
    }

    /// Sends the request: in the session that is current now, or in the one that
    /// [`session`](Self::session) was given, if the host is on the list.
    ///
    /// # Errors
    ///
    /// Those of reqwest's `RequestBuilder::send`.
    pub fn send(self) -> impl Future<Output = Result<Response, Error>> + Send + use<> {
        let Self { client, builder, session } = self;
        // Now, not when it is polled: then another session may be current.
        let sent =
            builder.build().map(|request| client.send(request, Given::new(session.as_ref(), None)));
        async move { sent?.await }
    }

    /// A second builder of the same request. `None` if its body is a stream.
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            client: self.client.clone(),
            builder: self.builder.try_clone()?,
            session: self.session.clone(),
        })
    }
}

//! reqwest: a client that hands the session on, and that no redirect takes it away from.

use std::sync::Arc;

use http::HeaderName;
use qorrelate_core::SessionId;
use qorrelate_core::adapter::{Propagation, Target};
use reqwest::redirect::Policy;
use reqwest::{
    Client, ClientBuilder, Error, IntoUrl, Method, Request, RequestBuilder, Response, Url,
};

use crate::propagate::{Headers, PropagateSessionIdLayer};

/// What Qorrelate adds to reqwest's `ClientBuilder`.
pub trait PropagateSessionIdExt: Sized {
    /// Builds a client that puts the ID of the current session into requests to the hosts that the
    /// layer names, and into no others.
    ///
    /// Redirects are followed as reqwest does by default, but for one: see [`SessionClient`].
    ///
    /// # Errors
    ///
    /// Those of reqwest's `ClientBuilder::build`.
    ///
    /// # Example
    ///
    /// ```
    /// use qorrelate_tower::{PropagateSessionIdExt, PropagateSessionIdLayer, SessionId};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = reqwest::Client::builder()
    ///     .build_propagating(PropagateSessionIdLayer::to_hosts(["payments.internal"])?)?;
    ///
    /// let id: SessionId = "abc".parse()?;
    /// let request = id.in_scope(|| client.post("http://payments.internal/charge")).build()?;
    /// assert_eq!(request.headers()["x-session-id"], "abc");
    /// # Ok(())
    /// # }
    /// ```
    fn build_propagating(self, layer: PropagateSessionIdLayer) -> Result<SessionClient, Error> {
        self.build_propagating_with(layer, Policy::default())
    }

    /// The same with a redirect policy of your own: reqwest's builder does not show the one that it
    /// was given, and that one is replaced.
    ///
    /// # Errors
    ///
    /// Those of reqwest's `ClientBuilder::build`.
    ///
    /// # Example
    ///
    /// ```
    /// use qorrelate_tower::{PropagateSessionIdExt, PropagateSessionIdLayer};
    /// use reqwest::redirect::Policy;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = PropagateSessionIdLayer::to_hosts(["payments.internal"])?;
    /// let client = reqwest::Client::builder().build_propagating_with(layer, Policy::limited(3))?;
    /// # let _ = client;
    /// # Ok(())
    /// # }
    /// ```
    fn build_propagating_with(
        self,
        layer: PropagateSessionIdLayer,
        redirects: Policy,
    ) -> Result<SessionClient, Error>;
}

impl PropagateSessionIdExt for ClientBuilder {
    fn build_propagating_with(
        self,
        layer: PropagateSessionIdLayer,
        redirects: Policy,
    ) -> Result<SessionClient, Error> {
        let propagation = layer.into_propagation();
        let client = self.redirect(stay(Arc::clone(&propagation), redirects)).build()?;
        Ok(SessionClient { client, propagation })
    }
}

/// What follows redirects must not take the session to a host that is not named, and reqwest's
/// policies cannot change the headers of the next request.
fn stay(propagation: Arc<Propagation<HeaderName>>, redirects: Policy) -> Policy {
    Policy::custom(move |attempt| {
        let names = |url| propagation.names(target(url));
        if attempt.previous().iter().any(names) && !names(attempt.url()) {
            attempt.stop()
        } else {
            redirects.redirect(attempt)
        }
    })
}

fn target(url: &Url) -> Option<Target<'_>> {
    Some(Target::new(url.scheme(), url.host_str()?, url.port()))
}

/// A reqwest client that hands the session on to the hosts that are named, and to no others.
/// [`build_propagating`](PropagateSessionIdExt::build_propagating) makes one.
///
/// Its methods have the names of reqwest's and return reqwest's `RequestBuilder`, so that only the
/// line that builds the client changes. The session is the one that is current when the method is
/// called; a header that is set by hand afterwards, with `RequestBuilder::header`, is added to it.
/// [`in_session`](RequestBuilderExt::in_session) has the last word instead.
///
/// # Redirects
///
/// reqwest sends the headers of a request again when it follows a redirect, and takes out only
/// `Authorization` and cookies. So **a redirect from a host that is named to one that is not is not
/// followed**: the answer is the redirect itself, with its status and `Location`. All other redirects
/// are followed. It is so in no session too, because a policy cannot see what was sent. Where such a
/// redirect is to be followed, as to a download elsewhere, follow it with
/// a client of its own, which has no secrets in its default headers:
///
/// ```no_run
/// # async fn example(
/// #     client: qorrelate_tower::SessionClient,
/// #     outside: reqwest::Client,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let mut response = client.get("https://files.internal/7").send().await?;
/// if response.status().is_redirection()
///     && let Some(location) = response.headers().get("location")
/// {
///     let url = response.url().join(location.to_str()?)?;
///     response = outside.get(url).send().await?;
/// }
/// # let _ = response;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SessionClient {
    client: Client,
    propagation: Arc<Propagation<HeaderName>>,
}

macro_rules! requests {
    ($($method:ident $name:literal $constant:ident)*) => {
        $(
            #[doc = concat!("A `", $name, "` request to that URL.")]
            pub fn $method<U: IntoUrl>(&self, url: U) -> RequestBuilder {
                self.request(Method::$constant, url)
            }
        )*
    };
}

impl SessionClient {
    requests! {
        get "GET" GET
        post "POST" POST
        put "PUT" PUT
        patch "PATCH" PATCH
        delete "DELETE" DELETE
        head "HEAD" HEAD
    }

    /// A request with that method to that URL, in the current session if the host is named.
    pub fn request<U: IntoUrl>(&self, method: Method, url: U) -> RequestBuilder {
        let builder = self.client.request(method, url);
        match builder.try_clone().map(RequestBuilder::build) {
            Some(Ok(mut request)) => {
                self.put_into(&mut request, None);
                RequestBuilder::from_parts(self.client.clone(), request)
            }
            // What is no URL is an error when the request is sent or built, as it is in reqwest.
            _ => builder,
        }
    }

    /// Sends a request, in the current session if the host is named.
    ///
    /// # Errors
    ///
    /// Those of reqwest's `Client::execute`.
    pub fn execute(
        &self,
        mut request: Request,
    ) -> impl Future<Output = Result<Response, Error>> + Send + use<> {
        self.put_into(&mut request, None);
        self.client.execute(request)
    }

    pub(crate) fn put_into(&self, request: &mut Request, given: Option<SessionId>) {
        let url = request.url().clone();
        self.propagation.apply(target(&url), given, &mut Headers(request.headers_mut()));
    }

    #[cfg(feature = "reqwest-middleware")]
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }
}

/// What Qorrelate adds to reqwest's `RequestBuilder`.
pub trait RequestBuilderExt: Sized {
    /// Puts the current session into the request as it is by now, if the host is named: a session
    /// header that it has already is replaced. It is sent with that client, whichever made it.
    ///
    /// # Errors
    ///
    /// Whatever was wrong with the request until here.
    ///
    /// # Example
    ///
    /// ```
    /// use qorrelate_tower::{
    ///     PropagateSessionIdExt, PropagateSessionIdLayer, RequestBuilderExt, SessionId,
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let session = reqwest::Client::builder()
    ///     .build_propagating(PropagateSessionIdLayer::to_hosts(["payments.internal"])?)?;
    /// # let inbound = reqwest::header::HeaderMap::new();
    /// let id: SessionId = "abc".parse()?;
    /// let _guard = id.enter(); // as in a handler
    ///
    /// let request = session.get("http://payments.internal/").headers(inbound).in_session(&session)?;
    /// assert_eq!(request.build()?.headers()["x-session-id"], "abc");
    /// # Ok(())
    /// # }
    /// ```
    fn in_session(self, client: &SessionClient) -> Result<Self, Error>;
}

impl RequestBuilderExt for RequestBuilder {
    fn in_session(self, client: &SessionClient) -> Result<Self, Error> {
        let mut request = self.build()?;
        client.put_into(&mut request, None);
        Ok(Self::from_parts(client.client.clone(), request))
    }
}

const _: () = {
    const fn is_client<T: Clone + Send + Sync + 'static>() {}
    is_client::<SessionClient>();
};

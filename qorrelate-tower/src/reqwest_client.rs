//! reqwest: a client that forwards the session, and whose redirects don't leak it.

use std::sync::Arc;

use http::HeaderName;
use qorrelate_core::adapter::{Given, Propagation, Target};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Error, IntoUrl, Method, Request, Response, Url};

use crate::propagate::{Headers, PropagateSessionIdLayer};
use crate::reqwest_request::SessionRequestBuilder;

/// What Qorrelate adds to reqwest's `ClientBuilder`.
pub trait PropagateSessionIdExt: Sized {
    /// Builds a client that puts the ID of the current session into requests to the hosts on the
    /// layer's list, and into no others.
    ///
    /// Redirects are followed as reqwest does by default, with one exception: see [`SessionClient`].
    ///
    /// # Errors
    ///
    /// Those of reqwest's `ClientBuilder::build`.
    ///
    /// # Example
    ///
    /// ```
    /// use qorrelate_tower::{PropagateSessionIdExt, PropagateSessionIdLayer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = reqwest::Client::builder()
    ///     .build_propagating(PropagateSessionIdLayer::to_hosts(["payments.internal"])?)?;
    /// # let _ = async {
    /// let response = client.post("http://payments.internal/charge").body("12.50").send().await?;
    /// # Ok::<_, reqwest::Error>(response)
    /// # };
    /// # Ok(())
    /// # }
    /// ```
    fn build_propagating(self, layer: PropagateSessionIdLayer) -> Result<SessionClient, Error> {
        self.build_propagating_with(layer, Policy::default())
    }

    /// The same with your own redirect policy. One that was set on reqwest's builder before is
    /// replaced: the builder doesn't show it.
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

/// A redirect must not take the session to a host that is not on the list, and reqwest's policies cannot
/// change the headers of the next request.
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

/// A reqwest client that forwards the session to the hosts on a list, and to no others.
/// [`build_propagating`](PropagateSessionIdExt::build_propagating) makes one.
///
/// Its methods have the names of reqwest's, so that only the line that builds the client changes.
///
/// Whether a request gets the session is decided **when it is sent**, by [`SessionRequestBuilder::send`]
/// or by [`execute`](Self::execute): then the URL is final, and the session is the one that is current in
/// that call. If the session header is there already, such as one copied from the request being handled,
/// it is replaced.
///
/// **A session header in `ClientBuilder::default_headers` goes to every host.** reqwest adds default
/// headers after this client is done with a request, and offers no way to see or remove them. Don't set
/// it there.
///
/// # Redirects
///
/// reqwest can't check headers again per hop: a redirected request has the headers of the first one, and
/// only `Authorization` and cookies are removed. So **a redirect from a listed host to an unlisted one is
/// returned to you instead of followed**, with its status and `Location`, also if there was no session:
/// a policy can't see what was sent. All other redirects are followed. One from an unlisted host to a
/// listed one arrives there without the session.
///
/// To follow such a redirect, as to a download elsewhere, use another client, without secrets in its
/// default headers:
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
            #[doc = concat!("Begins a `", $name, "` request to that URL.")]
            pub fn $method<U: IntoUrl>(&self, url: U) -> SessionRequestBuilder {
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

    /// Begins a request with that method to that URL.
    pub fn request<U: IntoUrl>(&self, method: Method, url: U) -> SessionRequestBuilder {
        SessionRequestBuilder::new(self.clone(), self.client.request(method, url))
    }

    /// Sends a request: in the session that is current now, if the host is on the list. It may come from
    /// any of reqwest's builders.
    ///
    /// # Errors
    ///
    /// Those of reqwest's `Client::execute`.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn example(
    /// #     client: qorrelate_tower::SessionClient,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut request = client.get("http://payments.internal/balance").build()?;
    /// request.url_mut().set_query(Some("year=2026"));
    /// let response = client.execute(request).await?;
    /// # let _ = response;
    /// # Ok(())
    /// # }
    /// ```
    pub fn execute(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, Error>> + Send + use<> {
        self.send(request, Given::default())
    }

    pub(crate) fn send(
        &self,
        mut request: Request,
        given: Given,
    ) -> impl Future<Output = Result<Response, Error>> + Send + use<> {
        self.put_into(&mut request, given);
        self.client.execute(request)
    }

    pub(crate) fn put_into(&self, request: &mut Request, given: Given) {
        let url = request.url().clone();
        self.propagation.apply(target(&url), given, &mut Headers(request.headers_mut()));
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }
}

const _: () = {
    const fn is_client<T: Clone + Send + Sync + 'static>() {}
    is_client::<SessionClient>();
};

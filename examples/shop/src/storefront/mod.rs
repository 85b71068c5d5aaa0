//! The storefront (axum): the page, the products and the checkout, which calls payments.

mod basket;
mod checkout;
mod products;

use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use askama::Template;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};
use qorrelate_tower::opentelemetry_0_33::server_timing;
use qorrelate_tower::{ServerTimingLayer, SessionIdLayer, SessionMakeSpan};
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

use crate::telemetry::Telemetry;

use self::checkout::Payments;
use self::products::{PRODUCTS, Product};

/// The other services' URLs.
#[derive(Clone, Debug)]
pub(crate) struct Neighbours {
    pub(crate) payments: String,
    pub(crate) viewer: String,
}

/// Serves until told to stop, on this thread and workers of its own.
pub(crate) fn serve(
    listener: TcpListener,
    neighbours: &Neighbours,
    sample: f64,
    telemetry: &Telemetry,
    stop: CancellationToken,
) -> io::Result<()> {
    telemetry.claim_thread();
    let workers = telemetry.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("storefront")
        .on_thread_start(move || workers.claim_thread())
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let app = app(neighbours, sample).map_err(io::Error::other)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await
    })
}

fn app(neighbours: &Neighbours, sample: f64) -> Result<Router, Box<dyn Error + Send + Sync>> {
    let payments = Payments::at(&neighbours.payments)?;
    let recorder = Recorder { viewer: neighbours.viewer.as_str().into(), sample };
    let api = Router::new()
        .route("/api/products", get(products))
        .route("/api/checkout", post(checkout::checkout))
        .route_layer(middleware::from_fn(describe_span))
        .with_state(payments)
        .layer((
            // The first is the outermost: the session is known before the request's span starts.
            // If the session is kept though it is not among those sampled, the page's recorder is told.
            SessionIdLayer::new().kept_header("X-Session-Kept")?,
            TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new()),
            ServerTimingLayer::new(server_timing),
        ));
    // The page and its files have no session yet, and are nobody's business in a trace.
    let page = Router::new()
        .route("/", get(storefront))
        .route("/deals", get(deals))
        .with_state(recorder)
        .route(
            "/assets/shop.css",
            get(|| async { asset("text/css", include_str!("assets/shop.css")) }),
        )
        .route(
            "/assets/shop.js",
            get(|| async { asset("text/javascript", include_str!("assets/shop.js")) }),
        )
        .route(
            "/assets/deals.js",
            get(|| async { asset("text/javascript", include_str!("assets/deals.js")) }),
        );
    // Nothing runs or loads here but the shop's own files and what the viewer records with; and nothing is sent off
    // this machine.
    let policy = format!(
        "default-src 'none'; script-src 'self' {}; connect-src 'self' http://127.0.0.1:*; style-src 'self'; \
         img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        neighbours.viewer
    );
    let policy = HeaderValue::try_from(policy)?;
    let page = page.layer((
        SetResponseHeaderLayer::overriding(CONTENT_SECURITY_POLICY, policy),
        SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ));
    Ok(api.merge(page))
}

/// Where pages are recorded, and the share of sessions that is.
#[derive(Clone, Debug)]
struct Recorder {
    viewer: Arc<str>,
    sample: f64,
}

#[derive(Template)]
#[template(path = "storefront.html")]
struct Storefront {
    recorder: Recorder,
}

#[derive(Template)]
#[template(path = "deals.html")]
struct Deals {
    recorder: Recorder,
}

async fn storefront(State(recorder): State<Recorder>) -> Response {
    page(&Storefront { recorder })
}

async fn deals(State(recorder): State<Recorder>) -> Response {
    page(&Deals { recorder })
}

fn page(page: &impl Template) -> Response {
    match page.render() {
        Ok(page) => ([(CACHE_CONTROL, "no-cache")], Html(page)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn products() -> Json<&'static [Product]> {
    tracing::info!(products = PRODUCTS.len(), "showing the products");
    Json(PRODUCTS)
}

/// Which route it is and how it ended, is only known further in than where the span starts.
async fn describe_span(route: MatchedPath, request: Request, next: Next) -> Response {
    let context = Context::current();
    let span = context.span();
    span.update_name(format!("{} {}", request.method(), route.as_str()));
    span.set_attribute(KeyValue::new("http.route", route.as_str().to_owned()));
    let response = next.run(request).await;
    let status = i64::from(response.status().as_u16());
    span.set_attribute(KeyValue::new("http.response.status_code", status));
    response
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")];
    (headers, text).into_response()
}

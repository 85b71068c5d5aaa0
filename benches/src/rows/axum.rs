//! The layer on a whole axum `Router`, whose handler answers five bytes.
//!
//! Measured: the router is called with a request, its future is polled until it is done, and the body of
//! the response is read as hyper does it. Not measured: building the request. Added are the layer, and
//! what axum does for any layer: it boxes the service, its future, and the body if that has become one of
//! another type.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderName, Request};
use qorrelate_tower::SessionIdLayer;
use tower_http::classify::{ServerErrorsAsFailures, SharedClassifier};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use tower_layer::Identity;

use super::tower::{absent, read, valid};
use crate::row::{Measured, Row, measured};

const PEER: &str = "axum.request-id";
const HEADER: HeaderName = HeaderName::from_static("x-session-id");

pub(super) fn rows() -> Vec<Row> {
    let bare = || served(router(), valid());
    vec![
        Row::peer(
            PEER,
            "tower-http's `SetRequestIdLayer` and `PropagateRequestIdLayer`, in one `layer`",
            || served(router().layer((set(), propagate())), valid()),
        )
        .on_top_of(bare)
        .beside(PEER),
        Row::peer("axum.request-id-apart", "the same, each in a `layer` of its own", || {
            served(router().layer(propagate()).layer(set()), valid())
        })
        .on_top_of(bare)
        .beside(PEER),
        Row::peer("axum.identity", "a layer that does nothing", || {
            served(router().layer(Identity::new()), valid())
        })
        .on_top_of(bare)
        .beside(PEER),
        Row::ours("axum.valid", "`SessionIdLayer`, valid ID", || {
            served(router().layer(SessionIdLayer::new()), valid())
        })
        .on_top_of(bare)
        .beside(PEER),
        Row::ours("axum.absent", "header absent", || {
            served(router().layer(SessionIdLayer::new()), absent())
        })
        .on_top_of(|| served(router(), absent()))
        .beside(PEER),
        Row::ours("axum.traced", "valid ID, in one `layer` with `TraceLayer`", || {
            served(router().layer((SessionIdLayer::new(), trace())), valid())
        })
        .on_top_of(|| served(router().layer(trace()), valid()))
        .beside(PEER),
        Row::ours("axum.traced-absent", "header absent, in one `layer` with `TraceLayer`", || {
            served(router().layer((SessionIdLayer::new(), trace())), absent())
        })
        .on_top_of(|| served(router().layer(trace()), absent()))
        .beside(PEER),
    ]
}

fn router() -> Router {
    Router::new().route("/", get(async || "hello"))
}

fn set() -> SetRequestIdLayer<MakeRequestUuid> {
    SetRequestIdLayer::new(HEADER, MakeRequestUuid)
}

const fn propagate() -> PropagateRequestIdLayer {
    PropagateRequestIdLayer::new(HEADER)
}

fn trace() -> TraceLayer<SharedClassifier<ServerErrorsAsFailures>> {
    TraceLayer::new_for_http()
}

fn served(mut router: Router, request: impl Fn() -> Request<()> + 'static) -> Box<dyn Measured> {
    measured(move || request().map(|()| Body::empty()), move |request| read(&mut router, request))
}

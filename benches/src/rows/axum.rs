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
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_layer::Identity;

use super::tower::{absent, read, valid};
use crate::row::{Measured, Row, measured};

const PEER: &str = "axum.request-id";

pub(super) fn rows() -> Vec<Row> {
    let bare = || served(router(), valid());
    vec![
        Row::peer(PEER, "tower-http's `SetRequestIdLayer` and `PropagateRequestIdLayer`", || {
            let name = HeaderName::from_static("x-session-id");
            let router = router()
                .layer(PropagateRequestIdLayer::new(name.clone()))
                .layer(SetRequestIdLayer::new(name, MakeRequestUuid));
            served(router, valid())
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
    ]
}

fn router() -> Router {
    Router::new().route("/", get(async || "hello"))
}

fn served(mut router: Router, request: impl Fn() -> Request<()> + 'static) -> Box<dyn Measured> {
    measured(move || request().map(|()| Body::empty()), move |request| read(&mut router, request))
}

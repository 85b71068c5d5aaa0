use axum::Router;
use axum::body::Body;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_tracing_opentelemetry::middleware::OtelAxumLayer;
use opentelemetry_instrumentation_tower::http::server::LayerBuilder;
use qorrelate_tower::{SessionIdLayer, SessionMakeSpan};
use tower_http::trace::TraceLayer;

use super::cells::{self, Reply};
use super::{Order, Peer, SetUp, Stack};
use crate::server::{Server, serve_axum};

pub(super) fn serve(stack: Stack, set_up: SetUp) -> Server {
    let layer = SessionIdLayer::new()
        .opentelemetry_0_33_context(set_up.context)
        .tag_current_span(stack.is_inside_of_tracing())
        .tag_opentelemetry_0_33_span(stack.is_inside_of_opentelemetry());
    let mut app = Router::new().route("/{session}/{cell}", get(handler));
    if stack.order == Order::Inside {
        app = app.layer(layer.clone());
    }
    app = match stack.peer {
        Peer::TraceLayer => app.layer(TraceLayer::new_for_http()),
        Peer::TraceLayerWithMakeSpan => {
            app.layer(TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new()))
        }
        Peer::OtelAxumLayer => app.layer(OtelAxumLayer::default()),
        Peer::InstrumentationTower => app.layer(LayerBuilder::builder().build().unwrap()),
        _ => app,
    };
    if stack.order == Order::Outermost {
        app = app.layer(layer);
    }
    serve_axum(app)
}

async fn handler(uri: Uri) -> Response {
    let marker = uri.path().trim_start_matches('/').parse().unwrap();
    match cells::handle(marker).await {
        Reply::Done => StatusCode::OK.into_response(),
        Reply::Failed => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Reply::Body(chunks) => Body::from_stream(chunks).into_response(),
    }
}

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use qorrelate_tower::opentelemetry_0_33::server_timing;
use qorrelate_tower::{
    RequireSessionIdLayer, ServerTimingLayer, SessionId, SessionIdLayer, SessionMakeSpan,
};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tower_http::trace::TraceLayer;
use tracing::Instrument;

use super::{Config, Server, Stop, stream, work};

pub(super) fn serve(config: Config) -> Server {
    let app = Router::new()
        .route("/guarded", get(|| async { Json(work(None).await) }))
        .layer(RequireSessionIdLayer::new())
        .route("/work", get(async |id: Option<SessionId>| Json(work(id).await)))
        .route("/needs", get(async |id: SessionId| Json(work(Some(id)).await)))
        .route("/fails", get(fails))
        .route("/refused", get(fails).layer(middleware::from_fn(refuse)))
        .route("/streams", get(streams))
        .route("/baggage", get(baggage))
        .route("/headers", get(async |headers: HeaderMap| format!("{headers:?}")))
        .route("/answers", get(answers))
        .layer((
            crate::configured!(SessionIdLayer::new(), config),
            TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new()),
            ServerTimingLayer::new(server_timing),
        ));

    serve_axum(app)
}

/// Serves an app on a runtime of its own: HTTP/1.1 and HTTP/2, each connection in a span of its own, as
/// people have them who want to see their connections.
pub fn serve_axum(app: Router) -> Server {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2);
    serve_on(runtime, app)
}

/// The same, with all requests on one thread.
pub fn serve_axum_on_one_thread(app: Router) -> Server {
    serve_on(Builder::new_current_thread(), app)
}

fn serve_on(mut runtime: Builder, app: Router) -> Server {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        runtime.enable_all().build().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            tokio::select! {
                () = accept(listener, app) => {}
                _ = stopped => {}
            }
        });
    });
    Server { address, stop: Some(Box::new(Running { stop, thread })) }
}

async fn accept(listener: tokio::net::TcpListener, app: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let service = TowerToHyperService::new(app.clone());
        let connection = async move {
            let server = auto::Builder::new(TokioExecutor::new());
            // A client that goes away is no failure of the server.
            let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        };
        tokio::spawn(connection.instrument(tracing::info_span!("connection")));
    }
}

async fn fails() -> Result<(), (StatusCode, &'static str)> {
    work(None).await;
    Err((StatusCode::SERVICE_UNAVAILABLE, "failed"))
}

async fn refuse(_: Request, _: Next) -> Result<Response, StatusCode> {
    work(None).await;
    Err(StatusCode::SERVICE_UNAVAILABLE)
}

async fn streams() -> Body {
    work(None).await;
    Body::from_stream(stream())
}

async fn baggage(headers: HeaderMap) -> String {
    let lines = headers.get_all("baggage").iter().map(|line| line.to_str().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

async fn answers() -> impl IntoResponse {
    work(None).await;
    let headers = [
        (HeaderName::from_static("x-session-id"), "own"),
        (HeaderName::from_static("server-timing"), "db;dur=5"),
    ];
    (headers, "answered")
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Stop for Running {
    fn stop(self: Box<Self>) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

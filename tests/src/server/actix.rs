use std::net::SocketAddr;

use actix_web::body::BoxBody;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpRequest, HttpResponse, error, web};
use qorrelate_actix::opentelemetry_0_33::server_timing;
use qorrelate_actix::{
    RequireSessionIdMiddleware, ServerTimingMiddleware, SessionId, SessionIdMiddleware,
    SessionRootSpanBuilder,
};
use tracing_actix_web::TracingLogger;

use super::{Config, Server, Stop, stream, work};

pub(super) fn serve(config: Config) -> Server {
    crate::serve_actix!(move || {
        App::new()
            .service(
                web::resource("/guarded")
                    .wrap(RequireSessionIdMiddleware::new())
                    .route(web::get().to(async || web::Json(work(None).await))),
            )
            .route("/work", web::get().to(worked))
            .route("/needs", web::get().to(needed))
            .route("/fails", web::get().to(fails))
            .service(web::resource("/refused").wrap(from_fn(refuse)).route(web::get().to(fails)))
            .route("/streams", web::get().to(streams))
            .route("/baggage", web::get().to(baggage))
            .route("/headers", web::get().to(headers))
            .route("/answers", web::get().to(answers))
            .wrap(ServerTimingMiddleware::new(server_timing))
            .wrap(TracingLogger::<SessionRootSpanBuilder>::new())
            .wrap(crate::configured!(SessionIdMiddleware::new(), config))
    })
}

/// Serves an app on a system of its own. A macro, because the type of an app's factory has no name.
#[macro_export]
macro_rules! serve_actix {
    ($factory:expr) => {{
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        $crate::server::run_actix(address, move || {
            actix_web::HttpServer::new($factory)
                .workers(2)
                // So that a client that goes away is noticed while its request is handled.
                .h1_allow_half_closed(false)
                .disable_signals()
                .listen_auto_h2c(listener)
                .unwrap()
                .run()
        })
    }};
}

/// Runs a server on a thread of its own.
pub fn run_actix(
    address: SocketAddr,
    start: impl FnOnce() -> actix_web::dev::Server + Send + 'static,
) -> Server {
    let (started, starting) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = start();
            started.send(server.handle()).unwrap();
            server.await.unwrap();
        });
    });
    let handle = starting.recv().expect("the server starts");
    Server { address, stop: Some(Box::new(Running { handle, thread })) }
}

async fn worked(id: Option<SessionId>) -> web::Json<serde_json::Value> {
    web::Json(work(id).await)
}

async fn needed(id: SessionId) -> web::Json<serde_json::Value> {
    web::Json(work(Some(id)).await)
}

async fn fails() -> Result<HttpResponse, error::Error> {
    work(None).await;
    Err(error::InternalError::new("failed", StatusCode::SERVICE_UNAVAILABLE).into())
}

async fn refuse(_: ServiceRequest, _: Next<BoxBody>) -> Result<ServiceResponse, error::Error> {
    work(None).await;
    Err(error::InternalError::new("refused", StatusCode::SERVICE_UNAVAILABLE).into())
}

async fn streams() -> HttpResponse {
    work(None).await;
    HttpResponse::Ok().streaming(stream())
}

async fn baggage(request: HttpRequest) -> String {
    let lines = request.headers().get_all("baggage").map(|line| line.to_str().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

async fn headers(request: HttpRequest) -> String {
    format!("{:?}", request.headers())
}

async fn answers() -> HttpResponse {
    work(None).await;
    HttpResponse::Ok()
        .insert_header(("x-session-id", "own"))
        .insert_header(("server-timing", "db;dur=5"))
        .body("answered")
}

struct Running {
    handle: ServerHandle,
    thread: std::thread::JoinHandle<()>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Running")
    }
}

impl Stop for Running {
    fn stop(self: Box<Self>) {
        // The command is sent when this is called; the thread ends when it was carried out.
        drop(self.handle.stop(true));
        let _ = self.thread.join();
    }
}

//! The session is forwarded to the service that a handler calls with hyper-util's client, and to no other
//! host.
//!
//! `cargo run -p example-downstream-hyper [PORT]`, then
//! `curl -H 'X-Session-ID: abc-123-xyz' http://127.0.0.1:3021/call`
//!
//! The service that is called is this one again, by two names of the same machine: `localhost` is
//! named, and `127.0.0.1` is not.

use std::error::Error;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::Request;
use axum::routing::get;
use axum::{Router, serve};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use qorrelate_tower::{PropagateSessionId, PropagateSessionIdLayer, SessionId, SessionIdLayer};
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceExt as _};

const DEFAULT_PORT: u16 = 3021;

#[derive(Clone)]
struct Downstream {
    client: PropagateSessionId<Client<HttpConnector, Body>>,
    port: u16,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).map_or(Ok(DEFAULT_PORT), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let port = listener.local_addr()?.port();

    let client = Client::builder(TokioExecutor::new()).build_http();
    // Innermost: below any redirect or retry layer.
    let client = PropagateSessionIdLayer::to_hosts(["localhost"])?.layer(client);
    let app = Router::new()
        .route("/call", get(call))
        .route("/session", get(session))
        .with_state(Downstream { client, port })
        .layer(SessionIdLayer::new());

    eprintln!("listening on http://127.0.0.1:{port}");
    serve(listener, app).await?;
    Ok(())
}

async fn call(State(Downstream { client, port }): State<Downstream>) -> Result<String, String> {
    let mut answers = String::new();
    for host in ["localhost", "127.0.0.1"] {
        let request = Request::get(format!("http://{host}:{port}/session")).body(Body::empty());
        let request = request.map_err(|error| error.to_string())?;
        let answer = client.clone().oneshot(request).await.map_err(|error| error.to_string())?;
        let answer = to_bytes(Body::new(answer.into_body()), 1024).await;
        let answer = answer.map_err(|error| error.to_string())?;
        answers += &format!("{host} was called {}\n", String::from_utf8_lossy(&answer));
    }
    Ok(answers)
}

async fn session(session: Option<SessionId>) -> String {
    session.map_or_else(|| "without a session".to_owned(), |id| format!("with session {id}"))
}

//! The session is forwarded to the service that a handler calls with reqwest, and to no other host.
//!
//! `cargo run -p example-downstream-reqwest [PORT]`, then
//! `curl -H 'X-Session-ID: abc-123-xyz' http://127.0.0.1:3020/call`
//!
//! The service that is called is this one again, by two names of the same machine: `localhost` is
//! named, and `127.0.0.1` is not.

use std::error::Error;

use axum::extract::State;
use axum::routing::get;
use axum::{Router, serve};
use qorrelate_tower::{
    PropagateSessionIdExt, PropagateSessionIdLayer, SessionClient, SessionId, SessionIdLayer,
};
use tokio::net::TcpListener;

const DEFAULT_PORT: u16 = 3020;

#[derive(Clone)]
struct Downstream {
    client: SessionClient,
    port: u16,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).map_or(Ok(DEFAULT_PORT), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let port = listener.local_addr()?.port();

    // `build_propagating` in place of `build`; the client is used as usual.
    let client = reqwest::Client::builder()
        .no_proxy()
        .build_propagating(PropagateSessionIdLayer::to_hosts(["localhost"])?)?;
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
        let answer = client.get(format!("http://{host}:{port}/session")).send();
        let answer = answer.await.map_err(|error| error.to_string())?;
        let answer = answer.text().await.map_err(|error| error.to_string())?;
        answers += &format!("{host} was called {answer}\n");
    }
    Ok(answers)
}

async fn session(session: Option<SessionId>) -> String {
    session.map_or_else(|| "without a session".to_owned(), |id| format!("with session {id}"))
}

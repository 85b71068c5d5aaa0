//! Real servers on a socket, one of each adapter, with the same routes.

mod actix;
mod axum;

use std::net::SocketAddr;

pub use actix::run_actix;
pub use axum::{serve_axum, serve_axum_on_one_thread};
use bytes::Bytes;
use qorrelate_core::{SessionId, SessionIdOutcome};
use serde_json::{Value, json};
use tokio_stream::{Stream, StreamExt};
use tracing::Instrument;

use crate::config::Config;

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<Box<dyn Stop>>,
}

trait Stop: Send + std::fmt::Debug {
    fn stop(self: Box<Self>);
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(server) = self.stop.take() {
            server.stop();
        }
    }
}

/// An adapter, as the suites know it.
#[derive(Clone, Copy)]
pub struct Adapter {
    /// Its name.
    pub name: &'static str,
    /// Starts a server with these settings.
    ///
    /// The layers are the recommended ones: the session outermost, then the request span, then
    /// `Server-Timing`. Routes:
    ///
    /// - `/work` opens a span, logs a line, and answers what it saw, also through `Option<SessionId>`
    /// - `/needs` takes a `SessionId`
    /// - `/guarded` is behind the layer that requires a session
    /// - `/fails` answers an `Err` of the handler, with status 503
    /// - `/refused` answers an error of a middleware inside of ours, with status 503
    /// - `/streams` streams its body, which logs a line when it is dropped
    /// - `/baggage` answers the `baggage` header that it got
    /// - `/headers` answers all headers that it got, as a log would show them
    /// - `/answers` sets `X-Session-ID` and `Server-Timing` itself
    pub serve: fn(Config) -> Server,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every adapter.
pub const ADAPTERS: [Adapter; 2] =
    [Adapter { name: "axum", serve: axum::serve }, Adapter { name: "actix", serve: actix::serve }];

/// What the handlers do: a span, a line, a pause, and a report of what was current after it.
async fn work(extracted: Option<SessionId>) -> Value {
    async {
        tracing::info!("before the pause");
        tokio::task::yield_now().await;
        tracing::info!("after the pause");
        json!({
            "current": SessionId::current().map(|id| id.to_string()),
            "extracted": extracted.map(|id| id.to_string()),
            "outcome": SessionIdOutcome::current().as_ref().map(describe),
        })
    }
    .instrument(tracing::info_span!("work"))
    .await
}

/// A body that is streamed, and says so when it is dropped.
fn stream() -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
    struct OnDrop;

    impl Drop for OnDrop {
        fn drop(&mut self) {
            tracing::info!("the body is dropped");
        }
    }

    let on_drop = OnDrop;
    tokio_stream::iter(["one", "two"])
        .then(async |chunk| {
            tokio::task::yield_now().await;
            Ok(Bytes::from_static(chunk.as_bytes()))
        })
        .map(move |chunk| {
            let _kept = &on_drop;
            chunk
        })
}

/// An outcome in a few words.
pub fn describe(outcome: &SessionIdOutcome) -> String {
    match outcome {
        SessionIdOutcome::Found { source, .. } => format!("found in {source}"),
        SessionIdOutcome::Malformed { source, error, .. } => {
            format!("malformed in {source}: {} of {}", error.rule().as_str(), error.len())
        }
        other => other.as_str().to_owned(),
    }
}

//! Connections: how many there may be, and how long one may take over a request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};

use crate::reader::Patient;

/// More than this many at once wait to be accepted.
const CONNECTIONS: usize = 512;

/// How long the viewer waits for a client.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the whole head of a request.
    pub head: Duration,
    /// For the next piece of a body.
    pub body: Duration,
    /// From the end of a head until the answer begins.
    pub request: Duration,
    /// For the client to take some more of the answer.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            request: Duration::from_secs(60),
            answer: Duration::from_secs(30),
        }
    }
}

/// Serves until `stop` is ready, and then finishes what it has begun.
///
/// # Errors
///
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    patience: Patience,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let app = app
        .layer(RequestBodyTimeoutLayer::new(patience.body))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, patience.request));
    let service = TowerToHyperService::new(app);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head);
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    let open = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accept = async {
            let place = Arc::clone(&free).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((place, listener.accept().await?.0))
        };
        let (place, stream) = tokio::select! {
            accepted = accept => match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(_) => {
                    // No more files, most likely: connections that end make room.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let connection = open.watch(http.serve_connection(
            TokioIo::new(Patient::new(stream, patience.answer)),
            service.clone(),
        ));
        tokio::spawn(async move {
            let _place = place;
            // The client went away, or took too long: there is nobody to tell.
            let _ = connection.await;
        });
    }
    drop(listener);
    open.shutdown().await;
    Ok(())
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

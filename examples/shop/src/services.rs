//! The three services of the one process: how they start, and how they stop in an order that loses nothing.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::telemetry::{Telemetry, TelemetryError};
use crate::viewer::{Store, StoreError};
use crate::{payments, storefront, viewer};

/// How long requests in flight may take to finish once the shop was told to stop.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ShopError {
    #[error("the {service} cannot listen on {address}: {source}")]
    Listen { service: &'static str, address: SocketAddr, source: io::Error },
    #[error("cannot open the database {}: {source}", file.display())]
    Store { file: PathBuf, source: StoreError },
    #[error("cannot set up the telemetry: {0}")]
    Telemetry(#[from] TelemetryError),
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
    #[error("the {0} stopped by itself{1}")]
    Stopped(&'static str, String),
}

/// Runs the shop until it is told to stop (Ctrl-C or SIGTERM).
pub(crate) fn run(args: &Args) -> Result<(), ShopError> {
    let storefront = Listening::on("storefront", args.storefront)?;
    let payments = Listening::on("payments service", args.payments)?;
    let viewer = Listening::on("viewer", args.viewer)?;
    let store = Store::open(args.db.as_deref()).map_err(|source| ShopError::Store {
        file: args.db.clone().unwrap_or_else(|| ":memory:".into()),
        source,
    })?;
    let addresses = format!(
        "storefront {}\npayments {}\nviewer {}\n",
        storefront.url, payments.url, viewer.url
    );

    let storefront_telemetry = Telemetry::of("storefront", &viewer.url)?;
    let payments_telemetry = Telemetry::of("payments", &viewer.url)?;

    let stop = CancellationToken::new();
    let stop_viewer = CancellationToken::new();
    let runtime = Runtime::new()?;
    let _inside = runtime.enter();

    let viewer_url = viewer.url;
    let viewer = tokio::spawn({
        let listener = tokio::net::TcpListener::from_std(viewer.listener)?;
        let app = viewer::app(store, &storefront.url);
        let stop = stop_viewer.clone();
        async move { axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await }
    });

    let mut payments_done = start("payments", {
        let (telemetry, stop) = (payments_telemetry.clone(), stop.clone());
        move || payments::serve(payments.listener, &telemetry, stop)
    })?;
    let mut storefront_done = start("storefront", {
        let (telemetry, stop) = (storefront_telemetry.clone(), stop.clone());
        let neighbours = storefront::Neighbours { payments: payments.url, viewer: viewer_url };
        move || storefront::serve(storefront.listener, neighbours, &telemetry, stop)
    })?;

    runtime.block_on(async {
        // One write, and only now: whoever started the shop may wait for these lines and then call.
        let mut stdout = io::stdout().lock();
        stdout.write_all(addresses.as_bytes())?;
        stdout.flush()?;
        drop(stdout);

        let outcome = tokio::select! {
            signal = stop_signal() => signal.map_err(ShopError::from),
            ended = &mut storefront_done => Err(stopped("storefront", ended)),
            ended = &mut payments_done => Err(stopped("payments service", ended)),
        };

        // Callers before callees, and the viewer last: it still has the final batches to receive.
        stop.cancel();
        let _ = timeout(GRACE, storefront_done).await;
        let _ = timeout(GRACE, payments_done).await;
        let flush = tokio::task::spawn_blocking(move || {
            storefront_telemetry.shut_down();
            payments_telemetry.shut_down();
        });
        let _ = timeout(2 * GRACE, flush).await;
        stop_viewer.cancel();
        let _ = timeout(GRACE, viewer).await;
        outcome
    })
}

/// A socket that accepts connections already, so that nobody who reads the address comes too early.
struct Listening {
    listener: TcpListener,
    url: String,
}

impl Listening {
    fn on(service: &'static str, address: SocketAddr) -> Result<Self, ShopError> {
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let url = format!("http://{}", listener.local_addr()?);
            Ok(Self { listener, url })
        };
        listen().map_err(|source| ShopError::Listen { service, address, source })
    }
}

/// Runs a service on a thread of its own; the receiver is told when it has ended.
fn start(
    name: &str,
    serve: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<oneshot::Receiver<io::Result<()>>> {
    let (ended, end) = oneshot::channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || ended.send(serve()))?;
    Ok(end)
}

fn stopped(
    service: &'static str,
    ended: Result<io::Result<()>, oneshot::error::RecvError>,
) -> ShopError {
    let reason = match ended {
        Ok(Err(error)) => format!(": {error}"),
        Ok(Ok(())) | Err(_) => String::new(),
    };
    ShopError::Stopped(service, reason)
}

#[cfg(unix)]
async fn stop_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stop_signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

//! The three services of the one process: how they start, and how they stop in an order that loses nothing.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use viewer::{Org, OrgError, Orgs, Patience, Retention, Store, StoreError};

use crate::args::Args;
use crate::telemetry::{Telemetry, TelemetryError};
use crate::{payments, storefront};

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
    #[error("the viewer cannot take the storefront's replays: {0}")]
    Org(#[from] OrgError),
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
    #[error("the {0} stopped by itself")]
    Stopped(&'static str),
}

/// Runs the shop until it is told to stop (Ctrl-C or SIGTERM).
pub(crate) fn run(args: &Args) -> Result<(), ShopError> {
    let storefront = Listening::on("storefront", args.storefront)?;
    let payments = Listening::on("payments service", args.payments)?;
    let viewer = Listening::on("viewer", args.viewer)?;
    let store = Store::open(args.db.as_deref(), Retention::default()).map_err(|source| {
        ShopError::Store { file: args.db.clone().unwrap_or_else(|| ":memory:".into()), source }
    })?;
    let addresses = format!(
        "storefront {}\npayments {}\nviewer {}\n",
        storefront.url, payments.url, viewer.url
    );

    let storefront_telemetry = Telemetry::of("storefront", &viewer.url, args.sample)?;
    let payments_telemetry = Telemetry::of("payments", &viewer.url, args.sample)?;

    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        let stop_viewer = CancellationToken::new();

        let viewer_ended = CancellationToken::new();
        tokio::spawn({
            let listener = tokio::net::TcpListener::from_std(viewer.listener)?;
            tokio::spawn(viewer::clean(store.clone()));
            let app = viewer::app(store, Some(&storefront.url), pages_of(&storefront.url)?);
            let stop = stop_viewer.clone().cancelled_owned();
            let end = viewer_ended.clone().drop_guard();
            async move {
                let _end = end;
                report("viewer", viewer::serve(listener, app, Patience::default(), stop).await);
            }
        });
        let payments_ended = start("payments", {
            let (telemetry, stop) = (payments_telemetry.clone(), stop.clone());
            move || payments::serve(payments.listener, &telemetry, stop)
        })?;
        let storefront_ended = start("storefront", {
            let (telemetry, stop) = (storefront_telemetry.clone(), stop.clone());
            let neighbours = storefront::Neighbours { payments: payments.url, viewer: viewer.url };
            let sample = args.sample.unwrap_or(1.0);
            move || storefront::serve(storefront.listener, &neighbours, sample, &telemetry, stop)
        })?;

        // One write, and only now: whoever started the shop may wait for these lines and then call.
        let mut stdout = io::stdout().lock();
        stdout.write_all(addresses.as_bytes())?;
        stdout.flush()?;
        drop(stdout);

        let outcome = tokio::select! {
            signal = stop_signal() => signal.map_err(ShopError::from),
            () = storefront_ended.cancelled() => Err(ShopError::Stopped("storefront")),
            () = payments_ended.cancelled() => Err(ShopError::Stopped("payments service")),
            () = viewer_ended.cancelled() => Err(ShopError::Stopped("viewer")),
        };

        // Callers before callees, and the viewer last: it still has the final batches to receive.
        stop.cancel();
        within(GRACE, storefront_ended.cancelled()).await;
        within(GRACE, payments_ended.cancelled()).await;
        let flushed = [storefront_telemetry, payments_telemetry]
            .map(|telemetry| tokio::task::spawn_blocking(move || telemetry.shut_down()));
        for flushed in flushed {
            within(GRACE, flushed).await;
        }
        stop_viewer.cancel();
        within(GRACE, viewer_ended.cancelled()).await;
        outcome
    });
    // What has not ended by now has had its time.
    runtime.shutdown_background();
    outcome
}

/// The storefront's pages, under both names of this machine that people type, may send replays.
fn pages_of(storefront: &str) -> Result<Orgs, OrgError> {
    let port = storefront.rsplit(':').next().unwrap_or_default();
    let org = format!("demo={storefront},http://localhost:{port}");
    Ok([org.parse::<Org>()?].into_iter().collect())
}

/// Waits for an end, but not for ever.
async fn within<T>(time: Duration, end: impl Future<Output = T>) {
    let _ = timeout(time, end).await;
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

/// Runs a service on a thread of its own; the token is cancelled when it has ended, however it ended.
fn start(
    name: &'static str,
    serve: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<CancellationToken> {
    let ended = CancellationToken::new();
    let end = ended.clone().drop_guard();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _end = end;
        report(name, serve());
    })?;
    Ok(ended)
}

fn report(service: &str, outcome: io::Result<()>) {
    if let Err(error) = outcome {
        tracing::error!("{service}: {error}");
    }
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

//! The viewer as a program of its own.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use viewer::{Org, Patience, Retention, Store, StoreError};

/// How long requests in flight may take to finish once the viewer was told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Receives OTLP over HTTP and shows it by browser session.
#[derive(Clone, Debug, Parser)]
#[command(name = "viewer", version)]
struct Args {
    /// Where the viewer listens; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3002", value_parser = loopback)]
    listen: SocketAddr,

    /// Keep what arrives in this SQLite file instead of in memory.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,

    /// Takes replays of this organisation's pages, from these origins; more than once for more of them.
    #[arg(long = "org", value_name = "ID=ORIGIN[,ORIGIN]")]
    orgs: Vec<Org>,

    /// How long to keep a session after the last that came from it: 90m, 12h or 14d. Without it, until there is no room.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    keep: Option<Duration>,

    /// The same for sessions with errors; without it, as `--keep`.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    keep_errors: Option<Duration>,

    /// The size of the whole store in MiB. Beyond it, the oldest session goes.
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    max_size: u64,
}

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot open the database {}: {source}", file.display())]
    Store { file: PathBuf, source: StoreError },
    #[error("{0}")]
    Serve(#[from] io::Error),
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("viewer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), StartError> {
    let retention = Retention {
        keep: args.keep,
        keep_errors: args.keep_errors.or(args.keep),
        max_bytes: args.max_size * 1024 * 1024,
    };
    let store = Store::open(args.db.as_deref(), retention).map_err(|source| StartError::Store {
        file: args.db.clone().unwrap_or_else(|| ":memory:".into()),
        source,
    })?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen)
            .await
            .map_err(|source| StartError::Listen { address: args.listen, source })?;
        // Whoever started the viewer may wait for this line and then call.
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "viewer http://{}", listener.local_addr()?)?;
        stdout.flush()?;
        drop(stdout);
        tokio::spawn(viewer::clean(store.clone()));
        let app = viewer::app(store, None, args.orgs.iter().cloned().collect());
        let told = tokio_util::sync::CancellationToken::new();
        let serve =
            viewer::serve(listener, app, Patience::default(), told.clone().cancelled_owned());
        let grace = async {
            stop_signal().await;
            told.cancel();
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            served = serve => served?,
            () = grace => {}
        }
        Ok(())
    })
}

#[cfg(unix)]
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    let _ = tokio::signal::ctrl_c().await;
}

/// A whole number of minutes, hours or days.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds =
        [("m", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)].into_iter().find_map(|(unit, seconds)| {
            let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
            count.checked_mul(seconds)
        });
    seconds.map(Duration::from_secs).ok_or_else(|| "not a time like 90m, 12h or 14d".to_owned())
}

/// The viewer has no passwords and believes whatever it is sent: it is for this machine only.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "not an address like 127.0.0.1:3002 or [::1]:3002".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("not a loopback address: the viewer is for this machine only".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(duration("14d"), Ok(Duration::from_secs(14 * 86_400)));
        assert_eq!(duration("90m"), Ok(Duration::from_secs(5_400)));
        for other in ["14", "d", "-1d", "1w", "99999999999999999999d", "18446744073709551615d"] {
            assert!(duration(other).is_err(), "{other}");
        }
    }

    #[test]
    fn only_loopback_addresses_are_taken() {
        assert!(loopback("127.0.0.1:0").is_ok());
        for other in ["0.0.0.0:3002", "[::]:3002"] {
            assert!(loopback(other).unwrap_err().contains("loopback"), "{other}");
        }
        assert!(loopback("3002").unwrap_err().contains("address"));
    }
}

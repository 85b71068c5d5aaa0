//! The viewer as a program of its own.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use viewer::{Store, StoreError};

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
    let store = Store::open(args.db.as_deref()).map_err(|source| StartError::Store {
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
        let stop = async {
            let _ = tokio::signal::ctrl_c().await;
        };
        let app = viewer::app(store, None);
        axum::serve(listener, app).with_graceful_shutdown(stop).await?;
        Ok(())
    })
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
    fn only_loopback_addresses_are_taken() {
        assert!(loopback("127.0.0.1:0").is_ok());
        for other in ["0.0.0.0:3002", "[::]:3002"] {
            assert!(loopback(other).unwrap_err().contains("loopback"), "{other}");
        }
        assert!(loopback("3002").unwrap_err().contains("address"));
    }
}

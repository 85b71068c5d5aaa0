//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// A shop whose backend says which browser session it worked for.
///
/// Three services in one process: a storefront (axum), the payments service that it calls (actix-web), and a
/// viewer that receives what both report (OTLP over HTTP) and shows it by session.
///
/// The standard OTEL_* environment variables are honoured: OTEL_EXPORTER_OTLP_ENDPOINT, for one, sends the
/// telemetry elsewhere instead of to the viewer. RUST_LOG chooses what is logged on stderr.
#[derive(Clone, Debug, Parser)]
#[command(name = "shop", version)]
pub(crate) struct Args {
    /// Where the storefront listens; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000", value_parser = loopback)]
    pub(crate) storefront: SocketAddr,

    /// Where the payments service listens; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3001", value_parser = loopback)]
    pub(crate) payments: SocketAddr,

    /// Where the viewer listens; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3002", value_parser = loopback)]
    pub(crate) viewer: SocketAddr,

    /// Keep what the viewer receives in this SQLite file instead of in memory.
    #[arg(long, value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,

    /// Report this share of the sessions (0.1 is one in ten), each of them whole, and all those that meet an
    /// error. Without it, everything is reported, or what OTEL_TRACES_SAMPLER says.
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub(crate) sample: Option<f64>,
}

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("not a number from 0 to 1".to_owned()),
    }
}

/// The shop has no passwords and believes whatever it is sent: it is for this machine only.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "not an address like 127.0.0.1:3000 or [::1]:3000".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("not a loopback address: the shop is for this machine only".to_owned())
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
    fn a_share_is_a_number_from_0_to_1() {
        assert_eq!(ratio("0.1"), Ok(0.1));
        for other in ["-0.1", "1.1", "NaN", "10%", ""] {
            assert!(ratio(other).is_err(), "{other}");
        }
    }

    #[test]
    fn only_loopback_addresses_are_taken() {
        assert!(loopback("127.0.0.1:0").is_ok());
        assert!(loopback("[::1]:8080").is_ok());
        for other in ["0.0.0.0:3000", "[::]:3000", "192.168.1.5:80"] {
            assert!(loopback(other).unwrap_err().contains("loopback"), "{other}");
        }
        for garbage in ["3000", "localhost:3000", ""] {
            assert!(loopback(garbage).unwrap_err().contains("address"), "{garbage}");
        }
    }
}

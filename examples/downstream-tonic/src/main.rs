//! The session is forwarded to the service that a gRPC handler calls over a tonic channel, and to no other
//! host.
//!
//! `cargo run -p example-downstream-tonic [PORT]`, then, from a second terminal,
//! `cargo run -p example-downstream-tonic call [PORT]`: one call in a session. What becomes of it is
//! on the first terminal.
//!
//! The service that is called is this one again, by two names of the same machine: `localhost` is
//! named, and `127.0.0.1` is not.

use std::error::Error;
use std::pin::Pin;

use qorrelate_tower::{PropagateSessionIdLayer, SessionId, SessionIdLayer};
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Endpoint, Server, Uri};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::Layer as _;

const DEFAULT_PORT: u16 = 3023;

/// The service to ask for where nothing is to be called further on.
const LAST: &str = "last";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1).peekable();
    let is_call = args.next_if(|arg| arg == "call").is_some();
    let port = args.next().map_or(Ok(DEFAULT_PORT), |port| port.parse())?;
    if is_call { call(port).await } else { serve(port).await }
}

async fn serve(port: u16) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let port = listener.local_addr()?.port();
    let propagate = PropagateSessionIdLayer::to_hosts(["localhost"])?;

    eprintln!("listening on http://127.0.0.1:{port}");
    Server::builder()
        .layer(SessionIdLayer::new())
        .add_service(HealthServer::new(Relay { port, propagate }))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}

/// Checks whoever is further on.
struct Relay {
    port: u16,
    propagate: PropagateSessionIdLayer,
}

impl Relay {
    async fn check_last(&self, host: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        let uri: Uri = format!("http://{host}:{}", self.port).parse()?;
        let channel = Endpoint::from(uri.clone()).connect().await?;
        // `with_origin` in place of `new`: only so does the layer, outside the channel, know which
        // host the channel leads to.
        let mut client = HealthClient::with_origin(self.propagate.layer(channel), uri);
        eprintln!("calling {host}");
        client.check(HealthCheckRequest { service: LAST.to_owned() }).await?;
        Ok(())
    }
}

#[tonic::async_trait]
impl Health for Relay {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match SessionId::current() {
            Some(id) => eprintln!("called with session {id}"),
            None => eprintln!("called without a session"),
        }
        if request.get_ref().service != LAST {
            for host in ["localhost", "127.0.0.1"] {
                let checked = self.check_last(host).await;
                checked.map_err(|error| Status::unavailable(error.to_string()))?;
            }
        }
        Ok(Response::new(HealthCheckResponse::default()))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not in this example"))
    }
}

/// The client: one call in a session.
async fn call(port: u16) -> Result<(), Box<dyn Error>> {
    let server = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
    let mut client = HealthClient::new(server.connect().await?);
    let mut request = Request::new(HealthCheckRequest::default());
    request.metadata_mut().insert("x-session-id", MetadataValue::from_static("abc-123-xyz"));
    client.check(request).await?;
    Ok(())
}

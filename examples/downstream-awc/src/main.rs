//! The session is forwarded to the service that an actix-web handler calls with awc, and to no other host.
//!
//! `cargo run -p example-downstream-awc [PORT]`, then
//! `curl -H 'X-Session-ID: abc-123-xyz' http://127.0.0.1:3022/call`
//!
//! The service that is called is this one again, by two names of the same machine: `localhost` is
//! named, and `127.0.0.1` is not.

use std::error::Error;
use std::net::TcpListener;

use actix_web::error::ErrorBadGateway;
use actix_web::{App, HttpServer, web};
use awc::Client;
use qorrelate_actix::{PropagateSessionIdMiddleware, SessionId, SessionIdMiddleware};

const DEFAULT_PORT: u16 = 3022;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).map_or(Ok(DEFAULT_PORT), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let port = listener.local_addr()?.port();

    let propagate = PropagateSessionIdMiddleware::to_hosts(["localhost"])?;
    let server = HttpServer::new(move || {
        // A client of awc stays on the thread of its worker.
        let client = Client::builder().wrap(propagate.clone()).finish();
        App::new()
            .app_data(web::Data::new(client))
            .app_data(web::Data::new(port))
            .route("/call", web::get().to(call))
            .route("/session", web::get().to(session))
            .wrap(SessionIdMiddleware::new())
    });

    eprintln!("listening on http://127.0.0.1:{port}");
    server.listen(listener)?.run().await?;
    Ok(())
}

async fn call(client: web::Data<Client>, port: web::Data<u16>) -> actix_web::Result<String> {
    let mut answers = String::new();
    for host in ["localhost", "127.0.0.1"] {
        let answer = client.get(format!("http://{host}:{}/session", **port)).send();
        let mut answer = answer.await.map_err(|error| ErrorBadGateway(error.to_string()))?;
        let answer = String::from_utf8_lossy(&answer.body().await?).into_owned();
        answers += &format!("{host} was called {answer}\n");
    }
    Ok(answers)
}

async fn session(session: Option<SessionId>) -> String {
    session.map_or_else(|| "without a session".to_owned(), |id| format!("with session {id}"))
}

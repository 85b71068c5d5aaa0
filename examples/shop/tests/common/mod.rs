//! The shop as a process of its own, and what a test needs to talk to it.

// Every test file uses some of this, none all of it.
#![allow(dead_code)]

use std::process::{Child, Command, Stdio};

use qorrelate_test_browser::Browser;
pub(crate) use qorrelate_test_browser::{PATIENCE, end, eventually, lines};
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

pub(crate) struct Shop {
    pub(crate) process: Child,
    pub(crate) storefront: String,
    pub(crate) viewer: String,
    pub(crate) client: Client,
}

impl Shop {
    pub(crate) fn start() -> Self {
        Self::from(shop(&[]))
    }

    /// Starts it and waits until it says where it is.
    pub(crate) fn from(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = lines(process.stdout.take().unwrap());
        let address = |service: &str| {
            let line = lines.recv_timeout(PATIENCE).expect("the shop says where it is");
            let (name, url) = line.split_once(' ').unwrap();
            assert_eq!(name, service);
            url.to_owned()
        };
        let storefront = address("storefront");
        address("payments");
        let viewer = address("viewer");
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { process, storefront, viewer, client }
    }

    pub(crate) fn checkout(&self, session: Option<&str>, items: Value) -> Response {
        let mut request = self.client.post(format!("{}/api/checkout", self.storefront));
        if let Some(session) = session {
            request = request.header("X-Session-ID", session);
        }
        request.json(&json!({ "items": items })).send().unwrap()
    }

    /// The session as the viewer has it, as soon as it is complete.
    #[track_caller]
    pub(crate) fn session(&self, id: &str, complete: impl Fn(&Value) -> bool) -> Value {
        eventually(|| {
            let answer = self.client.get(format!("{}/api/sessions/{id}", self.viewer)).send();
            let session: Value = answer.unwrap().json().unwrap();
            if complete(&session) {
                Ok(session)
            } else {
                Err(format!("still incomplete: {session:#}"))
            }
        })
    }

    pub(crate) fn sessions(&self) -> Value {
        let sessions = self.client.get(format!("{}/api/sessions", self.viewer)).send();
        sessions.unwrap().json().unwrap()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// A start of the shop on free ports, untouched by the environment of whoever runs the tests.
pub(crate) fn shop(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    for service in ["--storefront", "--payments", "--viewer"] {
        if !arguments.contains(&service) {
            command.args([service, "127.0.0.1:0"]);
        }
    }
    command.args(arguments).env_remove("RUST_LOG");
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OTEL_"))
    {
        command.env_remove(name);
    }
    command
}

/// Picks the row beside the replay that says this; what the page then shows of it, as soon as that is as expected.
#[track_caller]
pub(crate) fn pick(engineer: &Browser, row: &str, expected: impl Fn(&str) -> bool) -> String {
    let click = "const row = [...document.querySelectorAll('.moment a')] \
        .find((row) => row.textContent.includes(given[0])); row?.click(); return !!row";
    eventually(|| match engineer.script(click, vec![json!(row)]) {
        found if found == true => Ok(()),
        _ => Err(format!("no row says {row}: {:?}", engineer.texts(".moment"))),
    });
    engineer.text("#picked", expected)
}

/// The names of a service's spans.
pub(crate) fn names<'a>(session: &'a Value, service: &str) -> Vec<&'a str> {
    of_service(session, "spans", service).map(|span| span["name"].as_str().unwrap()).collect()
}

/// The texts of a service's log lines.
pub(crate) fn bodies<'a>(session: &'a Value, service: &str) -> Vec<&'a str> {
    of_service(session, "logs", service).map(|log| log["body"].as_str().unwrap()).collect()
}

/// A session's spans or logs, as far as they are of one service; none if the viewer knows no such session.
fn of_service<'a>(
    session: &'a Value,
    kind: &str,
    service: &str,
) -> impl Iterator<Item = &'a Value> {
    session[kind].as_array().into_iter().flatten().filter(move |item| item["service"] == service)
}

pub(crate) fn has_spans(session: &Value, count: usize) -> bool {
    session["spans"].as_array().is_some_and(|spans| spans.len() == count)
}

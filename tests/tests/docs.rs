//! What the README and the pages of docs/ say is so: the programs run, and the tables are complete.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use qorrelate_core::Source;
use qorrelate_test_browser::{end, eventually};
use qorrelate_tests::server::serve_axum;
use qorrelate_tower::SessionIdLayer;

const SESSION: &str = "0199a3c4-7d52-7c3e-9b1a-4f2d8e6c5a01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A program of the README, as a process of its own.
struct Program {
    process: Child,
    address: SocketAddr,
}

impl Program {
    fn start(path: &str, collector: Option<SocketAddr>) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(path);
        command.arg(address.to_string()).stdout(Stdio::piped()).stderr(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let lower = name.to_string_lossy().to_lowercase();
            if lower.starts_with("otel_") || lower.ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        if let Some(collector) = collector {
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"));
            // The default, unless another package of the workspace turns on JSON.
            command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        }
        Self { process: command.spawn().unwrap(), address }
    }

    /// The answer to `GET /hello` with these headers.
    #[track_caller]
    fn get(&self, headers: &str) -> String {
        let mut connection = eventually(|| {
            TcpStream::connect(self.address).map_err(|error| format!("not there: {error}"))
        });
        write!(
            connection,
            "GET /hello HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    /// What it printed until it was told to end, as by Ctrl-C.
    fn stop(mut self) -> Vec<String> {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let output = BufReader::new(self.process.stdout.take().unwrap());
        let lines = output.lines().map(Result::unwrap).collect();
        assert!(self.process.wait().unwrap().success(), "{lines:?}");
        lines
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

type Bodies<T> = Arc<Mutex<Vec<T>>>;

async fn keep<T: prost::Message + Default>(State(kept): State<Bodies<T>>, body: Bytes) {
    kept.lock().unwrap().push(T::decode(body).unwrap());
}

fn values(attributes: &[KeyValue], key: &str) -> Vec<String> {
    let of_key = attributes.iter().filter(|attribute| attribute.key == key);
    let value = |attribute: &KeyValue| match attribute.value.clone()?.value? {
        Value::StringValue(value) => Some(value),
        _ => None,
    };
    of_key.filter_map(value).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_axum_program_exports_the_session_and_continues_the_callers_trace() {
    let (traces, logs) = (Bodies::default(), Bodies::default());
    let collector = serve_axum(
        Router::new()
            .route("/v1/traces", post(keep::<ExportTraceServiceRequest>))
            .with_state(Arc::clone(&traces))
            .merge(
                Router::new()
                    .route("/v1/logs", post(keep::<ExportLogsServiceRequest>))
                    .with_state(Arc::clone(&logs)),
            ),
    );
    let program = Program::start(env!("CARGO_BIN_EXE_readme-axum"), Some(collector.address));
    let answer = program.get(&format!(
        "X-POSTHOG-SESSION-ID: {SESSION}\r\ntraceparent: 00-{TRACE}-{CALLER}-01\r\n"
    ));
    assert!(answer.ends_with(&format!("hello, session {SESSION}\n")), "{answer}");
    assert!(program.get("").ends_with("hello\n"));
    let lines = program.stop();

    let traces = traces.lock().unwrap();
    let resources: Vec<_> = traces.iter().flat_map(|traces| &traces.resource_spans).collect();
    let spans: Vec<_> = resources
        .iter()
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .map(|span| {
            let is_continued = hex(&span.parent_span_id) == CALLER && hex(&span.trace_id) == TRACE;
            (&*span.name, values(&span.attributes, "session.id"), is_continued)
        })
        .collect();
    assert_eq!(spans, [("GET", vec![SESSION.to_owned()], true), ("GET", vec![], false)]);
    let resource = resources[0].resource.as_ref().unwrap();
    assert_eq!(values(&resource.attributes, "service.name"), ["my-api"]);

    let logs = logs.lock().unwrap();
    let records: Vec<_> = logs
        .iter()
        .flat_map(|logs| &logs.resource_logs)
        .flat_map(|resource| &resource.scope_logs)
        .flat_map(|scope| &scope.log_records)
        .map(|record| (values(&record.attributes, "session.id"), hex(&record.trace_id) == TRACE))
        .collect();
    assert_eq!(records, [(vec![SESSION.to_owned()], true), (vec![], false)]);
    the_first_of_two_lines_has_the_session(&lines);
}

#[test]
fn the_actix_program_shows_the_session_on_its_lines() {
    let program = Program::start(env!("CARGO_BIN_EXE_readme-actix"), None);
    let answer = program.get(&format!("X-POSTHOG-SESSION-ID: {SESSION}\r\n"));
    assert!(answer.ends_with(&format!("hello, session {SESSION}\n")), "{answer}");
    assert!(program.get("").ends_with("hello\n"));
    the_first_of_two_lines_has_the_session(&program.stop());
}

#[track_caller]
fn the_first_of_two_lines_has_the_session(lines: &[String]) {
    let lines: Vec<_> = lines.iter().filter(|line| line.contains("saying hello")).collect();
    let counts: Vec<_> = lines.iter().map(|line| line.matches(SESSION).count()).collect();
    assert_eq!(counts, [1, 0], "{lines:#?}");
}

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_readme_shows_the_programs_that_are_run() {
    let readme = file("README.md");
    for path in ["tests/src/readme/axum.rs", "tests/src/readme/actix.rs"] {
        let program = file(path);
        let (_, program) = program.split_once("\n\n").unwrap();
        assert!(readme.contains(program), "the README does not show {path}");
    }
}

/// The names of the presets, as the code has them.
fn presets() -> Vec<String> {
    let mut names = Vec::new();
    for file_name in ["by_header", "by_cookie"] {
        let code = file(&format!("qorrelate-core/src/inbound/preset/{file_name}.rs"));
        let methods = code.lines().filter_map(|line| line.strip_prefix("    pub fn "));
        names.extend(methods.map(|line| line.split('(').next().unwrap().to_owned()));
    }
    assert!(names.len() >= 20, "{names:?}");
    names
}

/// Every page of a recorder, with its name.
fn pages() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recorders");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let page = |path: &Path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    files.map(|path| page(&path)).collect()
}

#[test]
fn every_preset_is_in_the_readme_and_has_a_page() {
    let (readme, pages) = (file("README.md"), pages());
    for preset in presets() {
        let call = format!("Source::{preset}(");
        assert!(readme.contains(&call), "the README does not name {preset}");
        assert!(pages.iter().any(|(_, page)| page.contains(&call)), "{preset} has no page");
    }
    let index = file("docs/recorders/README.md");
    for (name, _) in pages.iter().filter(|(name, _)| name != "README") {
        assert!(readme.contains(&format!("(docs/recorders/{name}.md)")), "README: {name}");
        assert!(index.contains(&format!("({name}.md)")), "docs/recorders/README.md: {name}");
    }
}

#[test]
fn pages_name_the_headers_that_a_preflight_asks_for() {
    let sources = [
        ("amplitude", Source::amplitude_cookie("")),
        ("app-insights", Source::app_insights_cookie()),
        ("arms", Source::arms()),
        ("aws-rum", Source::aws_rum_cookie()),
        ("clarity", Source::clarity_cookie()),
        ("datadog", Source::datadog()),
        ("dynatrace", Source::dynatrace()),
        ("faro", Source::header("X-Session-ID")),
        ("fullstory", Source::fullstory()),
        ("highlight", Source::highlight()),
        ("hyperdx", Source::hyperdx_cookie()),
        ("logrocket", Source::logrocket()),
        ("openobserve", Source::openobserve()),
        ("openreplay", Source::openreplay()),
        ("posthog", Source::posthog()),
        ("rollbar", Source::rollbar()),
        ("sentry", Source::sentry_replay()),
        ("splunk", Source::splunk_cookie()),
    ];
    let pages = pages();
    for (name, source) in &sources {
        let (_, page) = pages.iter().find(|(page, _)| page == name).expect(name);
        let headers: Vec<_> = source.request_headers().collect();
        let line = format!("`Access-Control-Allow-Headers: {}`", headers.join(", "));
        assert!(headers.is_empty() || page.contains(&line), "{name}: {line}");
    }
    let others = ["README", "others"];
    let names = || pages.iter().map(|(name, _)| &**name);
    for name in names().filter(|name| !others.contains(name)) {
        assert!(sources.iter().any(|(source, _)| *source == name), "{name} is not compared");
    }
}

/// The text between these, as often as it is there.
fn all_between<'a>(text: &'a str, start: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).map(move |rest| rest.split(end).next().unwrap())
}

#[test]
fn attributes_and_links_of_the_pages_are_accepted() {
    let mut count = 0;
    for (name, page) in pages() {
        let page: String = page.lines().map(str::trim).collect();
        for attribute in all_between(&page, ".attribute(\"", '"') {
            let source = Source::header("x").attribute(attribute);
            SessionIdLayer::new().sources([source]).expect(&name);
            count += 1;
        }
        for template in all_between(&page, ".replay_url(\"", '"') {
            let source = Source::header("x").replay_url(template);
            SessionIdLayer::new().sources([source]).expect(&name);
            count += 1;
        }
    }
    assert!(count >= 15, "{count}");
}

#[test]
fn the_script_knows_the_recorders_that_pages_name() {
    let script = file("qorrelate-core/browser/qorrelate.js");
    let mut count = 0;
    for (page, text) in pages() {
        for name in all_between(&text, "data-id-from=\"", '"') {
            let is_known = ["", "'"].iter().any(|q| script.contains(&format!("  {q}{name}{q}: ")));
            assert!(is_known, "{page}: {name}");
            count += 1;
        }
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for folder in ["docs", "docs/recorders", "examples"] {
        let files = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(files.filter(|path| path.extension().is_some_and(|kind| kind == "md")));
    }
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in all_between(&text, "](", ')').chain(all_between(&text, "src=\"docs/", '"')) {
            let is_elsewhere = link.contains("://") || link.starts_with('#');
            let path = link.split('#').next().unwrap();
            let from = page.parent().unwrap();
            let found = from.join(path).exists() || from.join("docs").join(path).exists();
            assert!(is_elsewhere || found, "{}: {link}", page.display());
        }
    }
}

//! Programs that run beside a test, the Collector above all.

use std::ffi::OsStr;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use reqwest::blocking::{Client, Response};
use tempfile::TempDir;

use crate::otlp::Sent;
use crate::{PATIENCE, end, eventually};

/// The root of this repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// An address of this machine that is free now: these programs take no port 0, or don't say which they took.
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A program that runs until this is dropped, in a folder of its own.
#[derive(Debug)]
pub struct Program {
    process: Child,
    /// The folder that it runs in.
    pub folder: TempDir,
}

impl Program {
    /// Starts it, and waits until it listens.
    pub fn start(
        program: &str,
        arguments: &[impl AsRef<OsStr>],
        environment: &[(&str, &str)],
        address: &str,
    ) -> Self {
        let path = repository().join("target").join(program);
        assert!(path.exists(), "{} is not there: run `bash tests/run --backends`", path.display());
        let folder = TempDir::new().unwrap();
        let output = fs::File::create(folder.path().join("output")).unwrap();
        let mut command = Command::new(path);
        command.args(arguments).envs(environment.iter().copied()).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let mut this = Self { process: command.spawn().unwrap(), folder };
        eventually(|| {
            if let Some(status) = this.process.try_wait().unwrap() {
                panic!("{program} ended, {status}: {}", this.output());
            }
            TcpStream::connect(address).map_err(|error| format!("{program}: {error}"))
        });
        this
    }

    /// What it has printed.
    pub fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap()
    }

    /// Asks it to end, and waits until it has: it sends what is still waiting.
    pub fn finish(&mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = eventually(|| {
            self.process.try_wait().unwrap().ok_or_else(|| format!("still runs: {}", self.output()))
        });
        assert!(status.success(), "{status}: {}", self.output());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// A Collector with one of the configurations of `examples/collector`.
#[derive(Debug)]
pub struct Collector {
    program: Program,
    /// Where it takes OTLP over HTTP.
    pub url: String,
    client: Client,
}

impl Collector {
    /// Starts it. The environment fills in what the configuration leaves open.
    pub fn start(configuration: &str, environment: &[(&str, &str)]) -> Self {
        let configuration = repository().join(format!("examples/collector/{configuration}.yaml"));
        let (http, grpc) = (free_address(), free_address());
        let mut environment = environment.to_vec();
        environment.extend([("OTLP_HTTP", &*http), ("OTLP_GRPC", &*grpc)]);
        let arguments = ["--config".as_ref(), configuration.as_os_str()];
        let program = Program::start("otelcol/otelcol", &arguments, &environment, &http);
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { program, url: format!("http://{http}"), client }
    }

    /// Sends it telemetry, which it must take.
    pub fn send(&self, sent: &Sent) {
        self.send_with(sent, &[]);
    }

    /// The same, as a request with these headers.
    pub fn send_with(&self, sent: &Sent, headers: &[(&str, &str)]) {
        let answer = self.post(sent.path(), sent.encoded(), headers);
        assert_eq!(answer.status(), 200, "{}", answer.text().unwrap());
    }

    /// Sends it anything.
    pub fn post(&self, path: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Response {
        let mut request = self.client.post(format!("{}{path}", self.url)).body(body);
        request = request.header("Content-Type", "application/x-protobuf");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().unwrap()
    }

    /// The ID of its process.
    pub fn process_id(&self) -> u32 {
        self.program.process.id()
    }

    /// Ends it. Whatever it was to send has been sent.
    pub fn finish(mut self) -> String {
        self.program.finish();
        self.program.output()
    }
}

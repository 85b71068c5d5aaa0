//! The shop, which sends its telemetry to wherever a test says.

use std::process::{Child, Command, Stdio};

use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::{PATIENCE, end, lines, repository};

/// Runs until this is dropped.
#[derive(Debug)]
pub struct Shop {
    process: Child,
    storefront: String,
    client: Client,
}

impl Shop {
    /// Starts it on free ports, with these `OTEL_*` variables.
    pub fn start(environment: &[(&str, &str)]) -> Self {
        let path = repository().join("target/debug/shop");
        assert!(path.exists(), "{} is not there: run `bash tests/run --backends`", path.display());
        let mut command = Command::new(path);
        for service in ["--storefront", "--payments", "--viewer"] {
            command.args([service, "127.0.0.1:0"]);
        }
        command.envs(environment.iter().copied()).env_remove("RUST_LOG");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = lines(process.stdout.take().unwrap());
        let storefront = said.recv_timeout(PATIENCE).expect("the shop says where it is");
        let storefront = storefront.strip_prefix("storefront ").unwrap().to_owned();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { process, storefront, client }
    }

    /// Buys something in this session, and gives the status of the answer.
    pub fn checkout(&self, session: &str, items: Value) -> u16 {
        let request = self.client.post(format!("{}/api/checkout", self.storefront));
        let request = request.header("X-Session-ID", session).json(&json!({ "items": items }));
        request.send().unwrap().status().as_u16()
    }

    /// Looks at what there is to buy.
    pub fn products(&self, session: &str) {
        let request = self.client.get(format!("{}/api/products", self.storefront));
        assert_eq!(request.header("X-Session-ID", session).send().unwrap().status(), 200);
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

//! Runs the servers under `wrk` on loopback, in turn and over again, and prints throughput and latency as
//! ratios to the server without any of it. `benches/load` calls it, with the path of `server`.
//!
//! A figure includes the whole server: sockets, HTTP, routing, a handler that answers five bytes. The
//! servers have one thread each, on one core; `wrk` has another core where there is one.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const FRAMEWORKS: [&str; 2] = ["axum", "actix"];
const VARIANTS: [&str; 4] = ["bare", "session", "request-id", "nothing"];
/// How often each is run; the ratios are of neighbours in time.
const ROUNDS: usize = 8;
const SECONDS: u32 = 1;

fn main() -> Result<()> {
    let server = std::env::args().nth(1).ok_or("usage: load <path of server>")?;
    println!(
        "| server | connections | OTLP | bare, requests/s | throughput, ours | p99, ours | throughput, peer | p99, peer | throughput, nothing | p99, nothing |\n\
         | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    let sink = sink()?;
    for (otlp, connections) in [(None, &[1, 8, 64][..]), (Some(sink.as_str()), &[64])] {
        for framework in FRAMEWORKS {
            let mut servers = Vec::new();
            for variant in VARIANTS {
                let server = Server::start(&server, framework, variant, otlp)?;
                server.load(64, 1)?;
                servers.push(server);
            }
            for &connections in connections {
                row(framework, otlp.is_some(), &servers, connections)?;
            }
        }
    }
    Ok(())
}

fn row(framework: &str, exports: bool, servers: &[Server], connections: u32) -> Result<()> {
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        // Each begins a round in its turn: what another process does falls on all alike.
        let mut runs = vec![Run::default(); servers.len()];
        for n in 0..servers.len() {
            let n = (n + round) % servers.len();
            runs[n] = servers[n].load(connections, SECONDS)?;
        }
        rounds.push(runs);
    }
    let mut bare: Vec<f64> = rounds.iter().map(|runs| runs[0].throughput).collect();
    let mut line = format!(
        "| {framework} | {connections} | {} | {:.0} ",
        if exports { "on" } else { "" },
        median(&mut bare)
    );
    for n in 1..servers.len() {
        for figure in [|run: &Run| run.throughput, |run: &Run| run.p99] {
            let ratio = |runs: &Vec<Run>| figure(&runs[n]) / figure(&runs[0]);
            let mut ratios: Vec<f64> = rounds.iter().map(ratio).collect();
            let median = median(&mut ratios);
            let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
            line += &format!("| **{median:.3}** ({least:.2}–{most:.2}) ");
        }
    }
    println!("{line}|");
    Ok(())
}

/// The middle of them, which are then in order.
fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    (numbers[middle] + numbers[(numbers.len() - 1) / 2]) / 2.0
}

#[derive(Debug)]
struct Server {
    process: Child,
    address: String,
}

#[derive(Debug, Clone, Copy, Default)]
struct Run {
    throughput: f64,
    p99: f64,
}

impl Server {
    fn start(path: &str, framework: &str, variant: &str, otlp: Option<&str>) -> Result<Self> {
        let mut process = on_core(0, path)
            .args([framework, variant])
            .args(otlp)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().to_owned() })
    }

    fn load(&self, connections: u32, seconds: u32) -> Result<Run> {
        let output = on_core(1, "wrk")
            .args(["--latency", "--threads=1"])
            .arg(format!("--connections={connections}"))
            .arg(format!("--duration={seconds}s"))
            .args(["--header=User-Agent: Mozilla/5.0", "--header=Accept: */*"])
            .arg("--header=X-Session-ID: 0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11")
            .arg(format!("http://{}/", self.address))
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        if !output.status.success() || text.contains("Non-2xx") || text.contains("Socket errors") {
            return Err(format!("wrk: {text}").into());
        }
        let after = |label: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
            line.map(str::trim).ok_or_else(|| format!("no {label} in {text}"))
        };
        Ok(Run { throughput: after("Requests/sec:")?.parse()?, p99: microseconds(after("99%")?)? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// As `wrk` writes it: `812.00us`, `1.21ms`, `1.02s`.
fn microseconds(text: &str) -> Result<f64> {
    for (unit, factor) in [("us", 1.0), ("ms", 1e3), ("s", 1e6)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(number.parse::<f64>()? * factor);
        }
    }
    Err(format!("no time: {text}").into())
}

/// A command on a core of its own, where there is more than one.
fn on_core(core: usize, program: &str) -> Command {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if cores == 1 {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string(), program]);
    command
}

/// An HTTP server that takes whatever is sent, and keeps nothing of it.
fn sink() -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || swallow(stream));
        }
    });
    Ok(url)
}

fn swallow(stream: TcpStream) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            if line.is_empty() {
                break;
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}

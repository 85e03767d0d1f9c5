//! `cargo harness demo`: publishes a sample of this machine each second.

use std::io::{IsTerminal, stdout};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde::Deserialize;
use ureq::Agent;

use crate::machine::{Machine, Sample};
use crate::platform::Platform;
use crate::project::Project;
use crate::signal;
use crate::up::{self, Place, Server};

const PERIOD: Duration = Duration::from_secs(1);
const CHANNEL: &str = "feed/demo-machine";

#[derive(Args)]
pub struct Demo {
    /// Server to publish to; without it the demo starts its own.
    #[arg(long, value_name = "BASE")]
    pub url: Option<String>,
    /// Number of samples; without it the demo runs until Ctrl-C.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Platform of the demo's own server.
    #[arg(long, value_enum, default_value_t = Platform::Workers, conflicts_with = "url")]
    pub platform: Platform,
    /// Port of the demo's own server.
    #[arg(long, default_value_t = 8787, conflicts_with = "url")]
    pub port: u16,
}

/// Publishes until the count is reached or a signal arrives.
pub fn run(project: &Project, demo: &Demo) -> Result<()> {
    let (base, mut server) = match &demo.url {
        Some(url) => (url.trim_end_matches('/').to_owned(), None),
        None => {
            let server = Server::start(project, &Place::on(project, demo.platform, demo.port))?;
            (server.url(), Some(server))
        }
    };
    println!("page {base}/feed/");
    publish_samples(&base, demo.count, server.as_mut())?;
    server.map_or(Ok(()), Server::stop)
}

fn publish_samples(base: &str, count: Option<u64>, mut server: Option<&mut Server>) -> Result<()> {
    let agent = up::agent();
    let url = format!("{base}/{CHANNEL}");
    let mut machine = Machine::new()?;
    let mut next = Instant::now();
    let (mut taken, mut refused) = (0, 0);
    while count.is_none_or(|count| taken < count) {
        // The times are fixed, or each sample would be late by the time of a request. After a
        // standstill the period starts again at the present; a burst would distort the chart.
        next = (next + PERIOD).max(Instant::now());
        if signal::wait(next - Instant::now()) {
            break;
        }
        if let Some(server) = server.as_mut() {
            server.check()?;
        }
        let sample = machine.sample()?;
        match publish(&agent, &url, &sample) {
            Ok(()) if stdout().is_terminal() => println!("{}", line(&sample)),
            Ok(()) => {}
            Err(error) => {
                eprintln!("the sample was not published: {error:#}");
                refused += 1;
            }
        }
        taken += 1;
    }
    // A caller that asks for a number of samples must learn whether they arrived.
    if count.is_some() && refused > 0 {
        bail!("{refused} of {taken} samples were not published");
    }
    Ok(())
}

fn publish(agent: &Agent, url: &str, sample: &Sample) -> Result<()> {
    let mut answer = agent
        .post(url)
        .header("Content-Type", "application/json")
        .send(serde_json::to_vec(sample)?)?;
    if answer.status().is_success() {
        return Ok(());
    }
    let body = answer.body_mut().read_to_string().unwrap_or_default();
    bail!("{} {}", answer.status(), detail(&body));
}

/// The `detail` of problem details, or the beginning of another body.
fn detail(body: &str) -> String {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    match serde_json::from_str::<Problem>(body) {
        Ok(problem) => problem.detail,
        Err(_) => body.trim().chars().take(200).collect(),
    }
}

fn line(sample: &Sample) -> String {
    let values = &sample.values;
    format!(
        "cpu {:5.1} %   memory {:5.1} %   load {:5.2}   net {:8.1} / {:8.1} kB/s   disk {:8.1} / {:8.1} kB/s",
        values.cpu_percent,
        values.memory_percent,
        values.load_1m,
        values.net_received_kb_s,
        values.net_sent_kb_s,
        values.disk_read_kb_s,
        values.disk_written_kb_s,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_its_detail() {
        let problem =
            r#"{"type":"urn:tidewire:access-denied","status":403,"detail":"closed channel"}"#;
        assert_eq!(detail(problem), "closed channel");
        assert_eq!(detail("Bad Gateway\n"), "Bad Gateway");
    }
}

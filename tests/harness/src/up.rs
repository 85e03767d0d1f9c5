//! `cargo harness up`: the root Worker in `wrangler dev`, until it is told to end.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use ureq::Agent;

use crate::group::Group;
use crate::project::Project;
use crate::{port, setup, signal, step, workers};

/// How often a server that starts is asked whether it answers.
const ASK: Duration = Duration::from_millis(100);
/// Time to build and to start. A cold build on a slow machine takes minutes.
const START: Duration = Duration::from_secs(15 * 60);

/// Where functions run.
#[derive(Clone, Copy, ValueEnum)]
pub enum Platform {
    /// Cloudflare Workers, locally in workerd.
    Workers,
}

#[derive(Args)]
pub struct Up {
    #[arg(value_enum, default_value = "workers")]
    pub platform: Platform,
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8787)]
    pub port: u16,
    /// Folder for what the channels store [default: target/harness/state].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Variable of the Worker; may be repeated.
    #[arg(long = "var", value_name = "K=V", value_parser = variable)]
    pub variables: Vec<String>,
}

fn variable(text: &str) -> Result<String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => bail!("write it as NAME=VALUE"),
    }
}

/// A running server. Dropping it ends it.
pub struct Server {
    group: Group,
    port: u16,
    log: PathBuf,
}

impl Server {
    /// Sets up, builds, starts, and returns when the server answers.
    pub fn start(project: &Project, up: &Up) -> Result<Self> {
        let Platform::Workers = up.platform;
        let port = port::claim(up.port)?;
        setup::ensure(project)?;
        let state = match &up.state {
            Some(state) => std::path::absolute(state)?,
            None => project.output().join("state"),
        };
        fs::create_dir_all(&state).with_context(|| format!("cannot make {}", state.display()))?;
        let log = state.join("wrangler.log");
        let mut command = workers::dev(project, port, &state, &up.variables)?;
        let group = Group::spawn(step::output_to(&mut command, &log)?)?;
        let mut server = Self { group, port, log };
        server.wait_until_ready()?;
        Ok(server)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let agent = agent();
        let url = self.url();
        let deadline = Instant::now() + START;
        let spinner = step::spinner("build and start");
        while agent.get(&url).call().is_err() {
            self.check()?;
            if Instant::now() > deadline {
                bail!("the server does not answer:\n{}", step::excerpt(&self.log));
            }
            step::show_last_line(&spinner, &self.log);
            signal::wait_or_interrupted(ASK)?;
        }
        spinner.finish_and_clear();
        // Somebody else may have taken the port in between, and answered.
        self.check()
    }

    /// # Errors
    /// When the server has ended by itself, with the last that it said.
    pub fn check(&mut self) -> Result<()> {
        match self.group.try_wait()? {
            Some(status) => bail!("the server ended by itself ({status}):\n{}", step::excerpt(&self.log)),
            None => Ok(()),
        }
    }

    /// Ends the server and all its processes; afterwards its port refuses.
    pub fn stop(mut self) -> Result<()> {
        self.group.stop()?;
        if port::is_open(self.port) {
            bail!("port {} still answers", self.port);
        }
        Ok(())
    }
}

/// An HTTP client that treats every status as an answer.
pub fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(10))).build().into()
}

/// Runs the server until a signal arrives.
pub fn run(project: &Project, up: &Up) -> Result<()> {
    let mut server = Server::start(project, up)?;
    println!("ready {}", server.url());
    eprintln!("log {} (Ctrl-C ends)", server.log.display());
    while !signal::wait(Duration::from_millis(200)) {
        server.check()?;
    }
    server.stop()
}

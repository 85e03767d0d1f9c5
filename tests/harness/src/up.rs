//! `cargo harness up`: serves all functions on one platform or both, until a signal arrives.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use ureq::Agent;

use crate::group::Group;
use crate::platform::{Choice, Platform, Store};
use crate::project::Project;
use crate::spin::{Profile, Runtime};
use crate::{port, redis, rust, setup, signal, spin, step, workers};

/// How often the harness asks a starting server whether it answers.
const ASK: Duration = Duration::from_millis(100);
/// Time to build and to start. A cold build on a slow machine takes minutes.
const START: Duration = Duration::from_secs(15 * 60);

#[derive(Args)]
pub struct Up {
    #[arg(value_enum, default_value_t = Choice::Both)]
    pub platform: Choice,
    /// Port on 127.0.0.1; 0 takes a free port. With both platforms, Spin takes the next port.
    #[arg(long, default_value_t = 8787)]
    pub port: u16,
    /// Folder for the data of the channels, with one folder for each platform [default:
    /// target/harness/state].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Where Spin stores the channels. Redis is a `redis-server` that is started with it.
    #[arg(long, value_enum, default_value_t)]
    pub store: Store,
    /// Setting of the functions, as NAME=VALUE. May be repeated.
    #[arg(long = "var", value_name = "K=V", value_parser = variable)]
    pub variables: Vec<String>,
}

impl Up {
    fn places(&self, project: &Project) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        for (index, &platform) in (0..).zip(self.platform.platforms()) {
            let port = if self.port == 0 { 0 } else { self.port.saturating_add(index) };
            let mut place = Place::on(project, platform, port);
            if let Some(state) = &self.state {
                place.state = std::path::absolute(state)?.join(platform.to_string());
            }
            place.variables.clone_from(&self.variables);
            place.store = self.store;
            places.push(place);
        }
        Ok(places)
    }
}

/// The platform, port, state and settings of one server.
pub struct Place {
    platform: Platform,
    port: u16,
    state: PathBuf,
    variables: Vec<String>,
    store: Store,
}

impl Place {
    /// A place on this platform and port, with the state of earlier runs.
    pub fn on(project: &Project, platform: Platform, port: u16) -> Self {
        Self {
            platform,
            port,
            state: project.output().join("state").join(platform.to_string()),
            variables: Vec::new(),
            store: Store::default(),
        }
    }
}

fn variable(text: &str) -> Result<String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => bail!("a setting must be written as NAME=VALUE"),
    }
}

/// A running server. Dropping it ends it.
pub struct Server {
    platform: Platform,
    group: Group,
    /// The store that was started for it.
    redis: Option<redis::Server>,
    port: u16,
    log: PathBuf,
}

impl Server {
    /// Installs what is missing, builds, starts the server, and returns when it answers.
    pub fn start(project: &Project, place: &Place) -> Result<Self> {
        let Place { platform, state, variables, store, .. } = place;
        let port = port::claim(place.port)?;
        fs::create_dir_all(state).with_context(|| format!("cannot make {}", state.display()))?;
        let mut redis = None;
        let mut command = match (platform, store) {
            (Platform::Workers, _) => {
                setup::ensure(project, Choice::Workers)?;
                let mut command = workers::dev(project, project.root(), port, state, variables)?;
                rust::lint(&mut command);
                command
            }
            (Platform::Spin, Store::Sqlite) => {
                let runtime = spin_runtime(project)?;
                step::run(
                    "build the Spin components",
                    &mut spin::build(project, Profile::Debug),
                    &project.log("build-spin"),
                )?;
                let manifest = project.root().join("spin.toml");
                runtime.serve(project, &manifest, port, state, variables)?
            }
            (Platform::Spin, Store::Redis) => {
                let runtime = spin_runtime(project)?;
                redis::build(project)?;
                let server = redis.insert(redis::Server::start(state)?);
                let variables: Vec<_> =
                    variables.iter().cloned().chain(server.variables()).collect();
                runtime.serve(project, &redis::manifest(project)?, port, state, &variables)?
            }
        };
        let log = state.join("server.log");
        let group = Group::spawn(step::output_to(&mut command, &log)?)?;
        let mut server = Self { platform: *platform, group, redis, port, log };
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
                bail!(
                    "the {} server does not answer:\n{}",
                    self.platform,
                    step::excerpt(&self.log)
                );
            }
            step::show_last_line(&spinner, &self.log);
            signal::wait_or_interrupted(ASK)?;
        }
        spinner.finish_and_clear();
        // Another process may have taken the port in between, and answered.
        self.check()
    }

    /// # Errors
    /// When the server has ended by itself; the error contains its last output.
    pub fn check(&mut self) -> Result<()> {
        match self.group.try_wait()? {
            Some(status) => bail!(
                "the {} server ended by itself ({status}):\n{}",
                self.platform,
                step::excerpt(&self.log)
            ),
            None => Ok(()),
        }
    }

    /// Ends the server and all its processes. Afterwards its port refuses connections.
    pub fn stop(mut self) -> Result<()> {
        self.group.stop()?;
        if let Some(redis) = self.redis.take() {
            redis.stop()?;
        }
        if port::is_open(self.port) {
            bail!("port {} still answers", self.port);
        }
        Ok(())
    }
}

fn spin_runtime(project: &Project) -> Result<Runtime> {
    setup::ensure(project, Choice::Spin)?;
    let runtime = Runtime::here();
    eprintln!("spin is {runtime}");
    Ok(runtime)
}

/// An HTTP client that does not treat any status as an error.
pub fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into()
}

/// Runs the servers until a signal arrives.
pub fn run(project: &Project, up: &Up) -> Result<()> {
    let mut servers = Vec::new();
    for place in up.places(project)? {
        let server = Server::start(project, &place)?;
        println!("ready {} {}", server.url(), server.platform);
        eprintln!("log {} (Ctrl-C ends)", server.log.display());
        servers.push(server);
    }
    while !signal::wait(Duration::from_millis(200)) {
        for server in &mut servers {
            server.check()?;
        }
    }
    // One that does not end is reported once the others have.
    let ends: Vec<Result<()>> = servers.into_iter().map(Server::stop).collect();
    ends.into_iter().collect()
}

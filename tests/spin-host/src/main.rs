//! Runs a Spin application where the `spin` binary is not installed.

mod application;
mod bindings;
mod build;
mod clock;
mod console;
mod control;
mod counters;
mod guest;
mod instance;
mod listener;
mod manifest;
mod memory;
mod outbound;
mod redis;
mod route;
mod server;
mod sqlite;
mod variables;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use tokio::net::TcpListener;
use wasmtime::Result;
use wasmtime::error::Context;

use application::Host;
use clock::Clock;
use control::Control;
use counters::Counters;
use instance::Instances;
use manifest::Manifest;

/// Runs a Spin application without Spin: HTTP triggers, SQLite, variables and outbound HTTP, for
/// components built with spin-sdk 7.
#[derive(Parser)]
struct Arguments {
    /// The application's spin.toml
    #[arg(long, default_value = "spin.toml")]
    manifest: PathBuf,
    /// Address to listen on; port 0 takes a free port
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Folder of the databases
    #[arg(long)]
    state: PathBuf,
    /// Folder of compiled components; the next start does not compile unchanged components again
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Only compile the components, for later starts with the same `--cache`
    #[arg(long, requires = "cache")]
    compile: bool,
    /// Value of an application variable; wins over SPIN_VARIABLE_NAME
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = assignment)]
    variables: Vec<(String, String)>,
    /// Address of the control port, through which tests read counters, trap, recycle and shift the
    /// clock
    #[arg(long)]
    control: Option<SocketAddr>,
    /// The build profile to build and run, instead of the profile without a name
    #[arg(long)]
    profile: Option<String>,
    /// First run the build commands of the manifest
    #[arg(long)]
    build: bool,
    /// Exit when standard input ends, so that the host does not outlive its parent process
    #[arg(long)]
    until_stdin_ends: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

// SIGTERM has its default effect: the process ends at once and cuts open streams, as Spin does.
#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.until_stdin_ends {
        std::thread::spawn(|| {
            // An error of the pipe counts as its end, too.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
    }
    let mut manifest = Manifest::read(&arguments.manifest)?;
    if let Some(profile) = &arguments.profile {
        manifest = manifest.in_profile(profile)?;
    }
    let path = arguments.manifest.canonicalize()?;
    let directory = path.parent().unwrap_or(&path);
    if arguments.build {
        build::build(&manifest, directory)?;
    }
    let given: BTreeMap<_, _> = arguments.variables.into_iter().collect();
    let variables =
        variables::Application::new(&manifest.variables, &given, |name| std::env::var(name).ok())?;
    for name in variables.missing() {
        eprintln!(
            "the required variable {name:?} has no value; set SPIN_VARIABLE_{} or --variable {name}=",
            name.to_uppercase()
        );
    }
    std::fs::create_dir_all(&arguments.state)
        .with_context(|| format!("cannot create {}", arguments.state.display()))?;

    let counters = Arc::new(Counters::default());
    let instances = Instances::new(Arc::clone(&counters));
    let clock = Clock::default();
    let host = Host {
        directory,
        state: &arguments.state,
        variables: &variables,
        counters: &counters,
        instances: &instances,
        clock: &clock,
    };
    let server = Arc::new(application::load(&manifest, &host, arguments.cache.as_deref())?);
    if arguments.compile {
        return Ok(());
    }

    if let Some(address) = arguments.control {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}"))?;
        println!("control http://{}", listener.local_addr()?);
        let control = Arc::new(Control { counters, instances, server: Arc::clone(&server), clock });
        tokio::spawn(listener::serve(listener, move |request, _| {
            let answer = control.answer(&request);
            async { answer }
        }));
    }
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    eprintln!("serving the application {:?}", manifest.application.name);
    println!("ready http://{}", listener.local_addr()?);
    listener::serve(listener, move |request, client| Arc::clone(&server).answer(request, client))
        .await?;
    Ok(())
}

//! `cargo harness`: sets up, runs and tests every function of this repository.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tidewire_harness::bench::{self, Bench};
use tidewire_harness::demo::{self, Demo};
use tidewire_harness::new::{self, New};
use tidewire_harness::platform::Choice;
use tidewire_harness::project::Project;
use tidewire_harness::signal::{self, Interrupted};
use tidewire_harness::test::{self, Test};
use tidewire_harness::up::{self, Up};
use tidewire_harness::{doctor, optimizer, setup};

/// The exit code that a shell reports after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Sets up, runs and tests the functions of this repository.
#[derive(Parser)]
#[command(
    name = "cargo harness",
    bin_name = "cargo harness",
    after_help = "Example:\n  cargo harness demo\n\nExit codes: 0 success, 1 failure, 2 wrong command line, 130 Ctrl-C."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what is missing, into ignored folders of the project.
    #[command(after_help = "Example:\n  cargo harness setup")]
    Setup,
    /// Shows what is installed, and how to install what is missing.
    #[command(after_help = "Example:\n  cargo harness doctor")]
    Doctor,
    /// Serves all functions on this machine, on both platforms or one, until Ctrl-C.
    #[command(
        after_help = "Example:\n  cargo harness up\n  cargo harness up spin --port 8788 --var RETRY_MS=500"
    )]
    Up(Up),
    /// Publishes the load of this machine to the feed, once a second.
    #[command(
        after_help = "Example:\n  cargo harness demo\n  cargo harness demo --platform spin\n  cargo harness demo --url http://127.0.0.1:8787 --count 60"
    )]
    Demo(Demo),
    /// Makes a project of a template: an independent folder that contains the shared crates.
    #[command(
        after_help = "Example:\n  cargo harness new feed ../my-feed\n  cargo harness new feed ../my-feed --name ticker --platform workers\n  cargo harness new --upgrade ../my-feed\n  cargo harness new --templates ../tidewire-templates --platform spin"
    )]
    New(New),
    /// Runs the tests; ends with `N passed, N failed`.
    #[command(
        after_help = "Example:\n  cargo harness test\n  cargo harness test --platform spin --suite order\n  cargo harness test --base-url http://127.0.0.1:8787\n  TIDEWIRE_TOKEN=… cargo harness test --base-url https://tidewire.example.workers.dev --suite conformance"
    )]
    Test(Test),
    /// Measures the functions beside their peers, and writes tests/bench/RESULTS.md.
    #[command(
        after_help = "Example:\n  cargo harness bench\n  cargo harness bench --quick\n  cargo harness bench append"
    )]
    Bench(Bench),
}

fn main() -> ExitCode {
    let outcome = if optimizer::is_called() { optimize() } else { run(&Cli::parse().command) };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether the command succeeded.
fn run(command: &Command) -> Result<bool> {
    signal::listen()?;
    let project = Project::here();
    match command {
        Command::Setup => {
            setup::ensure(&project, Choice::Both)?;
            setup::require_chromium()?;
            setup::require_redis()?;
            println!("ready");
            Ok(true)
        }
        Command::Doctor => doctor::print(&project),
        Command::Up(up) => up::run(&project, up).map(|()| true),
        Command::Demo(demo) => demo::run(&project, demo).map(|()| true),
        Command::New(new) => new::run(&project, new).map(|()| true),
        Command::Test(test) => test::run(&project, test),
        Command::Bench(bench) => bench::run(&project, bench),
    }
}

fn optimize() -> Result<bool> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    optimizer::run(&Project::here(), &arguments).map(|()| true)
}

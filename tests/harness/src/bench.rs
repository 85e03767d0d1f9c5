//! `cargo harness bench`: builds what is compared, and runs the jobs of tests/bench.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use clap::Args;

use crate::group::Group;
use crate::node::Packages;
use crate::platform::{Choice, Platform, Served};
use crate::project::Project;
use crate::spin::{self, Profile, Runtime};
use crate::{rust, setup, step, workers};

#[derive(Args)]
pub struct Bench {
    /// Run only this job, and leave RESULTS.md as it is; without it all jobs run.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Measure few and short rounds.
    #[arg(long)]
    pub quick: bool,
}

/// Returns whether everything could be measured.
pub fn run(project: &Project, bench: &Bench) -> Result<bool> {
    if !cfg!(target_os = "linux") {
        bail!("the benchmark reads the time of a server from /proc: run it on Linux");
    }
    setup::ensure(project, Choice::Workers)?;
    rust::ensure_targets(project, Choice::Spin)?;
    step::run("build the Worker", &mut workers::build(project)?, &project.log("build"))?;
    workers::copy_build(project)?;
    step::run(
        "build the Spin components",
        &mut spin::build(project, Profile::Release),
        &project.log("build-spin"),
    )?;
    let mut command = jobs(project, bench)?;
    match Runtime::here() {
        Runtime::Spin(program, _) => {
            command.env("TIDEWIRE_RUNTIME", Served::Spin.to_string()).env("TIDEWIRE_SPIN", program);
        }
        Runtime::OurHost => {
            let host = spin::release_host(project);
            step::run(
                "build the Spin host for release",
                &mut spin::build_release_host(project),
                &project.log("build-spin-host-release"),
            )?;
            let manifest = project.root().join("spin.toml");
            step::run(
                "compile the components for the host",
                &mut spin::compile(project, &host, &manifest),
                &project.log("compile"),
            )?;
            command
                .env("TIDEWIRE_RUNTIME", Served::Host.to_string())
                .env("TIDEWIRE_SPIN_HOST", host);
        }
    }
    Ok(Group::spawn(&mut command)?.wait(|| {})?.success())
}

/// The command that runs the jobs. It starts bare workerd itself; the server of the suites is that
/// of Spin.
fn jobs(project: &Project, bench: &Bench) -> Result<Command> {
    let mut command = Command::new(Packages::of(project).node());
    command
        .args(["--no-warnings", "bench/run.ts"])
        .args(&bench.name)
        .args(bench.quick.then_some("--quick"))
        .current_dir(project.tests())
        .stdin(Stdio::null())
        .env("PATH", workers::path(project)?)
        .env("TIDEWIRE_OUTPUT", project.output())
        .env("TIDEWIRE_PLATFORM", Platform::Spin.to_string())
        .env("TIDEWIRE_WORKERS_BUILD", workers::tested_build(project));
    Ok(command)
}

//! `up` as a user sees it: it says when it is ready, and after SIGTERM nothing of it is left.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

use crate::group::Group;
use crate::project::Project;
use crate::report::Row;
use crate::{port, signal, step, up};

pub const NAME: &str = "up";

const ASK: Duration = Duration::from_millis(50);

pub fn run(project: &Project) -> Result<Vec<Row>> {
    let start = Instant::now();
    let mut row = Row::new(NAME);
    check(project)?;
    row.passed = 1;
    eprintln!("{}", step::line(NAME, start.elapsed()));
    Ok(vec![row])
}

fn check(project: &Project) -> Result<()> {
    let log = project.log("up");
    // What a user types. cargo replaces itself by the harness, so the group's leader is the harness.
    let mut command = Command::new("cargo");
    command.args(["harness", "up", "workers", "--port", "0", "--state"]).arg(project.output().join("up-state")).current_dir(project.root());
    let mut group = Group::spawn(step::output_to(&mut command, &log)?)?;

    let url = loop {
        let output = fs::read_to_string(&log)?;
        if let Some(url) = output.lines().find_map(|line| line.strip_prefix("ready ")) {
            break url.to_owned();
        }
        if let Some(status) = group.try_wait()? {
            bail!("`up` ended by itself ({status}):\n{}", step::excerpt(&log));
        }
        signal::wait_or_interrupted(ASK)?;
    };
    let answer = up::agent().get(&url).call().context("the server does not answer")?;
    ensure!(answer.status().is_success(), "GET / answers {}", answer.status());

    let processes = descendants(group.id())?;
    ensure!(processes.len() > 1, "no process of the server was found");
    kill(Pid::from_raw(i32::try_from(group.id())?), Signal::SIGTERM)?;
    let status = group.wait(|| {})?;
    ensure!(status.success(), "`up` ended with {status}:\n{}", step::excerpt(&log));
    let port = url.rsplit(':').next().context("the address names a port")?;
    ensure!(!port::is_open(port.parse()?), "port {port} still answers");
    let left = alive(&processes)?;
    ensure!(left.is_empty(), "processes are left: {}", left.join(", "));
    Ok(())
}

/// A process id, and the name that tells it from a later process of the same id.
type Process = (sysinfo::Pid, String);

fn descendants(id: u32) -> Result<Vec<Process>> {
    let system = processes()?;
    let mut found = vec![sysinfo::Pid::from_u32(id)];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = system.processes().values().filter(|process| process.parent() == Some(parent));
        found.extend(children.map(|process| process.pid()));
        next += 1;
    }
    Ok(found.into_iter().filter_map(|id| Some((id, name(system.process(id)?)))).collect())
}

fn alive(processes_then: &[Process]) -> Result<Vec<String>> {
    let system = processes()?;
    let is_alive =
        |(id, name_then): &&Process| system.process(*id).is_some_and(|process| process.status() != ProcessStatus::Zombie && name(process) == *name_then);
    Ok(processes_then.iter().filter(is_alive).map(|(id, name)| format!("{name} ({id})")).collect())
}

fn processes() -> Result<System> {
    let mut system = System::new()?;
    // Without the threads, which would be listed as processes.
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing().without_tasks());
    Ok(system)
}

fn name(process: &sysinfo::Process) -> String {
    process.name().to_string_lossy().into_owned()
}

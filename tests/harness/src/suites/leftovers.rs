//! `up` as a user sees it: it prints when it is ready, and after SIGTERM none of its processes is
//! left.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

use crate::group::Group;
use crate::platform::Choice;
use crate::project::Project;
use crate::report::Row;
use crate::{port, signal, step, up};

pub const NAME: &str = "up";

const ASK: Duration = Duration::from_millis(50);

pub fn run(project: &Project, choice: Choice) -> Result<Vec<Row>> {
    let start = Instant::now();
    check(project, choice)?;
    step::done(NAME, start.elapsed());
    Ok(choice
        .platforms()
        .iter()
        .map(|&platform| Row { passed: 1, ..Row::new(NAME, Some(platform)) })
        .collect())
}

fn check(project: &Project, choice: Choice) -> Result<()> {
    let log = project.log("up");
    let platforms = choice.platforms();
    // The command that a user types. cargo replaces itself by the harness, so the harness leads the
    // group.
    let mut command = Command::new("cargo");
    command.args(["harness", "up"]);
    if let [platform] = platforms {
        command.arg(platform.to_string());
    }
    command
        .args(["--port", "0", "--state"])
        .arg(project.output().join("up-state"))
        .current_dir(project.root());
    let mut group = Group::spawn(step::output_to(&mut command, &log)?)?;

    let urls = loop {
        let output = fs::read_to_string(&log)?;
        let urls: Vec<String> = output.lines().filter_map(ready).collect();
        if urls.len() == platforms.len() {
            break urls;
        }
        if let Some(status) = group.try_wait()? {
            bail!("`up` ended by itself ({status}):\n{}", step::excerpt(&log));
        }
        signal::wait_or_interrupted(ASK)?;
    };
    for url in &urls {
        let answer = up::agent().get(url).call().context("the server does not answer")?;
        ensure!(answer.status().is_success(), "GET / answers {}", answer.status());
    }

    let processes = descendants(group.id())?;
    ensure!(processes.len() > platforms.len(), "no process of the server was found");
    kill(Pid::from_raw(i32::try_from(group.id())?), Signal::SIGTERM)?;
    let status = group.wait(|| {})?;
    ensure!(status.success(), "`up` ended with {status}:\n{}", step::excerpt(&log));
    for url in &urls {
        let port = url.rsplit(':').next().context("the address names a port")?;
        ensure!(!port::is_open(port.parse()?), "port {port} still answers");
    }
    let left = alive(&processes)?;
    ensure!(left.is_empty(), "processes are left: {}", left.join(", "));
    Ok(())
}

/// The address in a line `ready URL PLATFORM`.
fn ready(line: &str) -> Option<String> {
    line.strip_prefix("ready ")?.split(' ').next().map(str::to_owned)
}

/// A process id, and the name that distinguishes the process from a later one with the same id.
type Process = (sysinfo::Pid, String);

fn descendants(id: u32) -> Result<Vec<Process>> {
    let system = processes()?;
    let mut found = vec![sysinfo::Pid::from_u32(id)];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children =
            system.processes().values().filter(|process| process.parent() == Some(parent));
        found.extend(children.map(|process| process.pid()));
        next += 1;
    }
    Ok(found.into_iter().filter_map(|id| Some((id, name(system.process(id)?)))).collect())
}

fn alive(processes_then: &[Process]) -> Result<Vec<String>> {
    let system = processes()?;
    let is_alive = |(id, name_then): &&Process| {
        system.process(*id).is_some_and(|process| {
            process.status() != ProcessStatus::Zombie && name(process) == *name_then
        })
    };
    Ok(processes_then.iter().filter(is_alive).map(|(id, name)| format!("{name} ({id})")).collect())
}

fn processes() -> Result<System> {
    let mut system = System::new()?;
    // Without threads, which the list would show as processes.
    system.refresh_processes_specifics(
        ProcessesToUpdate::All,
        true,
        ProcessRefreshKind::nothing().without_tasks(),
    );
    Ok(system)
}

fn name(process: &sysinfo::Process) -> String {
    process.name().to_string_lossy().into_owned()
}

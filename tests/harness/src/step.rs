//! One step of work: a command with a spinner, its time, and a log, which is printed if the command
//! fails.

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::group::Group;

/// Number of lines from the beginning of the log of a failed command: there npm says what is wrong.
const FIRST_LINES: usize = 10;
/// Number of lines from the end of that log: there a compiler says what is wrong, with the code
/// around it.
const LAST_LINES: usize = 60;

/// Runs the command to its end, writes its output to `log`, and prints the time that it took.
///
/// # Errors
/// When the command fails; the error contains an excerpt of its output.
pub fn run(name: &str, command: &mut Command, log: &Path) -> Result<()> {
    let status = status(name, command, log)?;
    if !status.success() {
        bail!("{name} failed ({status}):\n{}", excerpt(log));
    }
    Ok(())
}

/// [`run`] for callers that examine a failure themselves.
pub fn status(name: &str, command: &mut Command, log: &Path) -> Result<ExitStatus> {
    let start = Instant::now();
    let spinner = spinner(name);
    let mut group = Group::spawn(output_to(command, log)?)?;
    let status = group.wait(|| show_last_line(&spinner, log))?;
    spinner.finish_and_clear();
    done(name, start.elapsed());
    Ok(status)
}

/// The environment variable with the file in which `.ci/run` writes its steps before the harness: a
/// line `SECONDS<tab>NAME` each.
const EARLIER: &str = "TIDEWIRE_STEPS";
/// The table omits steps that took less.
const WORTH: Duration = Duration::from_secs(3);

/// The steps that are running, below the lines of the finished steps.
static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
static DONE: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());

/// Prints a finished step and its time, and stores both for [`table`].
pub fn done(name: &str, time: Duration) {
    SPINNERS.suspend(|| eprintln!("{}", line(name, time)));
    note(name, time);
}

/// Stores the time of a part of a step for [`table`].
pub fn note(name: &str, time: Duration) {
    DONE.lock().unwrap_or_else(PoisonError::into_inner).push((time, name.to_owned()));
}

fn line(name: &str, time: Duration) -> String {
    format!("  {name:<60} {:>7.1} s", time.as_secs_f64())
}

/// All steps of this run, the longest first. The table lists a step and also its parts, and some
/// steps ran at the same time: the times do not add up.
pub fn table() -> String {
    let steps = DONE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let earlier =
        env::var_os(EARLIER).and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    table_of(steps, &earlier)
}

fn table_of(mut steps: Vec<(Duration, String)>, earlier: &str) -> String {
    steps.extend(earlier.lines().filter_map(|line| {
        let (seconds, name) = line.split_once('\t')?;
        Some((Duration::from_secs(seconds.parse().ok()?), name.to_owned()))
    }));
    steps.retain(|(time, _)| *time >= WORTH);
    steps.sort_by(|one, other| other.cmp(one));
    steps.iter().map(|(time, name)| line(name, *time)).collect::<Vec<_>>().join("\n")
}

/// A spinner on stderr. It draws nothing if stderr is not a terminal.
pub fn spinner(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}");
    let spinner = ProgressBar::new_spinner()
        .with_style(style.expect("the template is a constant"))
        .with_prefix(name.to_owned());
    let spinner = SPINNERS.add(spinner);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// Redirects the output of the command to a new file at `log`, and closes its input.
pub fn output_to<'a>(command: &'a mut Command, log: &Path) -> Result<&'a mut Command> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    // In append mode, so that two writers do not overwrite each other's output.
    let file = File::options().append(true).open(log)?;
    Ok(command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file))
}

/// Shows the last line of the log on the spinner.
pub fn show_last_line(spinner: &ProgressBar, log: &Path) {
    if spinner.is_hidden() {
        return;
    }
    if let Some(line) = read(log).lines().rev().find(|line| !line.trim().is_empty()) {
        spinner.set_message(line.trim().to_owned());
    }
}

/// The log without colours; the beginning and the end of a long log.
pub fn excerpt(log: &Path) -> String {
    let text = read(log);
    let lines = relevant(&text);
    let Some(left_out) = lines.len().checked_sub(FIRST_LINES + LAST_LINES + 1) else {
        return lines.join("\n");
    };
    let last = &lines[lines.len() - LAST_LINES..];
    format!(
        "{}\n... ({} lines more)\n{}",
        lines[..FIRST_LINES].join("\n"),
        left_out + 1,
        last.join("\n")
    )
}

/// All lines. If a build failed inside wrangler, only the lines of the build: after them wrangler
/// prints a screen of its own internals.
fn relevant(text: &str) -> Vec<&str> {
    let build: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("[custom build] ")).collect();
    let build_failed = text.contains("Running custom build") && text.contains(" failed");
    if build_failed && !build.is_empty() {
        return build;
    }
    text.lines().collect()
}

fn read(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    console::strip_ansi_codes(&String::from_utf8_lossy(&bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_begins_with_the_longest_step_of_the_harness_and_of_ci() {
        let steps = [(5, "suites"), (2, "too short"), (40, "copies")]
            .map(|(seconds, name)| (Duration::from_secs(seconds), name.to_owned()));
        let table = table_of(steps.into(), "12\tclippy\n1\tformat\nno step\n");
        let names: Vec<_> =
            table.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["copies", "clippy", "suites"]);
    }

    fn log(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("tidewire-step-{name}-{}.log", std::process::id()))
    }

    #[test]
    fn a_failing_step_shows_what_the_command_said() {
        let log = log("fails");
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; printf '\\033[31merr\\033[0m\\n' >&2; exit 3"]);
        let error = run("brew tea", &mut command, &log).unwrap_err().to_string();
        assert_eq!(error, "brew tea failed (exit status: 3):\nout\nerr");
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_long_log_is_cut_in_the_middle() {
        let log = log("long");
        let text = |lines: std::ops::RangeInclusive<usize>| {
            lines.map(|line| line.to_string()).collect::<Vec<_>>().join("\n")
        };
        fs::write(&log, text(1..=70)).unwrap();
        assert_eq!(excerpt(&log), text(1..=70));
        fs::write(&log, text(1..=72)).unwrap();
        assert_eq!(
            excerpt(&log),
            format!("{}\n... (2 lines more)\n{}", text(1..=10), text(13..=72))
        );
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_failed_build_inside_wrangler_shows_the_build_only() {
        let text = "[custom build] Running: x\n[custom build] error: no such type\nat I2._wait\nRunning custom build `x` failed.";
        assert_eq!(relevant(text), ["Running: x", "error: no such type"]);
        assert_eq!(relevant("one\ntwo"), ["one", "two"]);
    }
}

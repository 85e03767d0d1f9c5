//! The black-box suites, which vitest runs: one row for each file.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::group::Group;
use crate::node::{Packages, compile_cache};
use crate::platform::{Platform, Served, Store};
use crate::project::Project;
use crate::report::{Row, Skipped};
use crate::spin::Runtime;
use crate::{program, setup, spin, step, workers};

/// Name of the row for failures outside of any file.
const NAME: &str = "node";
const SUFFIX: &str = ".test.ts";

/// The suites: their names, such as `conformance/http`, and their files.
pub fn list(project: &Project) -> Result<BTreeMap<String, PathBuf>> {
    let tests = project.tests();
    let mut suites = BTreeMap::new();
    collect(&tests, &tests, &mut suites)?;
    Ok(suites)
}

fn collect(tests: &Path, folder: &Path, suites: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "node_modules" {
                collect(tests, &entry.path(), suites)?;
            }
        } else if let Some(name) = name(tests, &entry.path()) {
            suites.insert(name, entry.path());
        }
    }
    Ok(())
}

/// The name of the suite in this file; `None` if the file is not a suite.
fn name(tests: &Path, file: &Path) -> Option<String> {
    Some(file.strip_prefix(tests).ok()?.to_str()?.strip_suffix(SUFFIX)?.to_owned())
}

/// Whether the command line selects a suite: by its name, its folder, or its name without the
/// folder.
pub fn is_meant(name: &str, said: &str) -> bool {
    name == said
        || name.split_once('/').is_some_and(|(folder, stem)| folder == said || stem == said)
}

/// Runs these suites on one platform; all suites if the list is empty.
pub fn run(
    project: &Project,
    platform: Platform,
    (runtime, store): (Served, Store),
    suites: &[PathBuf],
    base_url: Option<&str>,
    token: Option<&str>,
) -> Result<Vec<Row>> {
    let start = Instant::now();
    let packages = Packages::of(project);
    let results = project.output().join(format!("vitest-{platform}.json"));
    // Remove the results of an earlier run, which could pass for those of this run.
    if results.exists() {
        fs::remove_file(&results)?;
    }
    let mut command = Command::new(packages.node());
    command
        .arg(packages.vitest())
        .args(["run", "--config", "vitest.config.ts"])
        .args(["--reporter=default", "--reporter=json"])
        .arg(format!("--outputFile={}", results.display()))
        .args(suites)
        .current_dir(project.tests())
        .stdin(Stdio::null())
        .envs([compile_cache(project)])
        .env("PATH", workers::path(project)?)
        .env("TIDEWIRE_OUTPUT", project.output())
        .env("TIDEWIRE_PLATFORM", platform.to_string())
        .env("TIDEWIRE_WORKERS_BUILD", workers::tested_build(project))
        .env("TIDEWIRE_RUNTIME", runtime.to_string())
        .env("TIDEWIRE_STORE", store.to_string())
        .env("TIDEWIRE_SPIN_HOST", spin::host(project));
    if runtime == Served::Spin && platform == Platform::Spin {
        command.env("TIDEWIRE_SPIN", Runtime::real()?.0);
    }
    if let Some(url) = base_url {
        command.env("TIDEWIRE_BASE_URL", url);
    }
    if let Some(token) = token {
        command.env("TIDEWIRE_TOKEN", token);
    }
    if env::var_os("CHROMIUM_HEADLESS_SHELL").is_none()
        && let Some(shell) = program::find(&[setup::HEADLESS_SHELL])
    {
        command.env("CHROMIUM_HEADLESS_SHELL", shell);
    }
    if env::var_os("CHROMIUM").is_none()
        && let Some(chromium) = program::find(&setup::CHROMIUM)
    {
        command.env("CHROMIUM", chromium);
    }
    if !stdout().is_terminal() {
        command.env("NO_COLOR", "1").env_remove("FORCE_COLOR");
    }
    let status = Group::spawn(&mut command)?.wait(|| {})?;
    step::done(&format!("suites on {platform}"), start.elapsed());

    let json = fs::read(&results).with_context(|| format!("vitest left no results ({status})"))?;
    let results: Results = serde_json::from_slice(&json).context("the results of vitest")?;
    let mut rows = rows(&results, &project.tests(), platform);
    for file in &results.test_results {
        let name = name(&project.tests(), &file.name).unwrap_or_default();
        step::note(
            &format!("{name} on {platform}"),
            Duration::from_secs_f64((file.end_time - file.start_time).max(0.0) / 1000.0),
        );
    }
    // An error outside of any test fails the run, although no test failed.
    if !status.success() && rows.iter().all(|row| row.failed == 0) {
        rows.push(Row::could_not_run(NAME, Some(platform)));
    }
    Ok(rows)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Results {
    test_results: Vec<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    name: PathBuf,
    status: String,
    /// Milliseconds since 1970.
    start_time: f64,
    end_time: f64,
    assertion_results: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    full_name: String,
    status: String,
    /// The requirements of the test.
    tags: Vec<String>,
}

fn rows(results: &Results, tests: &Path, platform: Platform) -> Vec<Row> {
    let mut rows: Vec<Row> =
        results.test_results.iter().map(|file| row(file, tests, platform)).collect();
    rows.sort_by(|one, other| one.suite.cmp(&other.suite));
    rows
}

fn row(file: &File, tests: &Path, platform: Platform) -> Row {
    let name = name(tests, &file.name).unwrap_or_else(|| file.name.display().to_string());
    let mut row = Row::new(name, Some(platform));
    for test in &file.assertion_results {
        match test.status.as_str() {
            "passed" => row.passed += 1,
            "failed" => row.failed += 1,
            _ => row.skipped.push(skipped(test)),
        }
    }
    // The file itself failed, for example by a wrong import or in a hook; it has no failed test.
    if file.status == "failed" {
        row.failed = row.failed.max(1);
    }
    row
}

/// The reason of a skip: the tag, or the text in the name of a test without a tag.
fn skipped(test: &Test) -> Skipped {
    let requirement =
        if test.tags.is_empty() { test.full_name.clone() } else { test.tags.join(" and ") };
    Skipped { test: test.full_name.clone(), requirement }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_tests_and_files_that_cannot_run() {
        let json = r#"{"testResults": [
            {"name": "/x/lab/order.test.ts", "status": "passed", "startTime": 1, "endTime": 2.5, "assertionResults": [
                {"fullName": "order none is lost", "status": "passed", "tags": []},
                {"fullName": "order frames", "status": "skipped", "tags": ["websocket"]}]},
            {"name": "/x/lab/broken.test.ts", "status": "failed", "startTime": 0, "endTime": 0, "assertionResults": []}]}"#;
        let rows = rows(&serde_json::from_str(json).unwrap(), Path::new("/x"), Platform::Spin);
        assert_eq!(rows[0], Row::could_not_run("lab/broken", Some(Platform::Spin)));
        assert_eq!((rows[1].passed, rows[1].failed), (1, 0));
        assert_eq!(rows[1].wants(), [("websocket", 1)].into());
    }

    #[test]
    fn a_suite_is_meant_by_its_name_its_folder_or_its_last_part() {
        for said in ["client/order", "client", "order"] {
            assert!(is_meant("client/order", said), "{said}");
        }
        assert!(!is_meant("client/order", "clients"));
    }
}

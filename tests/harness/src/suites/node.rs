//! The black-box suites, run by vitest: one row for each of their files.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::group::Group;
use crate::node::Packages;
use crate::project::Project;
use crate::report::Row;
use crate::{program, setup, step, workers};

/// Name of the row for failures that belong to no file.
const NAME: &str = "node";
const SUFFIX: &str = ".test.ts";

/// The suites by name: the stem of their file.
pub fn list(project: &Project) -> Result<BTreeMap<String, PathBuf>> {
    let mut suites = BTreeMap::new();
    collect(&project.tests(), &mut suites)?;
    Ok(suites)
}

fn collect(folder: &Path, suites: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            if name != "node_modules" {
                collect(&entry.path(), suites)?;
            }
        } else if let Some(stem) = name.strip_suffix(SUFFIX)
            && suites.insert(stem.to_owned(), entry.path()).is_some()
        {
            bail!("two suites have the name {stem}");
        }
    }
    Ok(())
}

/// Runs these suites, or all when none is named.
pub fn run(project: &Project, suites: &[PathBuf], base_url: Option<&str>) -> Result<Vec<Row>> {
    let start = Instant::now();
    let packages = Packages::of(project);
    let results = project.output().join("vitest.json");
    // Never take the results of an earlier run for those of this one.
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
        .env("PATH", workers::path(project)?)
        .env("TIDEWIRE_OUTPUT", project.output())
        .env("TIDEWIRE_WORKERS_BUILD", project.gateway().join("build"));
    if let Some(url) = base_url {
        command.env("TIDEWIRE_BASE_URL", url);
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
    eprintln!("{}", step::line("suites on Node", start.elapsed()));

    let json = fs::read(&results).with_context(|| format!("vitest left no results ({status})"))?;
    let mut rows = rows(&json)?;
    // An error outside any test fails the run, but no test.
    if !status.success() && rows.iter().all(|row| row.failed == 0) {
        rows.push(Row::could_not_run(NAME));
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
    assertion_results: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    full_name: String,
    status: String,
}

fn rows(json: &[u8]) -> Result<Vec<Row>> {
    let results: Results = serde_json::from_slice(json).context("the results of vitest")?;
    let mut rows: Vec<Row> = results.test_results.iter().map(row).collect();
    rows.sort_by(|one, other| one.suite.cmp(&other.suite));
    Ok(rows)
}

fn row(file: &File) -> Row {
    let name = file.name.file_name().unwrap_or_default().to_string_lossy();
    let mut row = Row::new(name.strip_suffix(SUFFIX).unwrap_or(&name));
    for test in &file.assertion_results {
        match test.status.as_str() {
            "passed" => row.passed += 1,
            "failed" => row.failed += 1,
            _ => row.skipped.push(test.full_name.clone()),
        }
    }
    // The file itself failed, for example by a wrong import or in a hook.
    if file.status == "failed" {
        row.failed = row.failed.max(1);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_tests_and_files_that_cannot_run() {
        let json = r#"{"testResults": [
            {"name": "/x/order.test.ts", "status": "passed", "assertionResults": [
                {"fullName": "order none is lost", "status": "passed"},
                {"fullName": "order websocket", "status": "skipped"}]},
            {"name": "/x/broken.test.ts", "status": "failed", "assertionResults": []}]}"#;
        let rows = rows(json.as_bytes()).unwrap();
        assert_eq!(rows[0], Row::could_not_run("broken"));
        assert_eq!((rows[1].passed, rows[1].failed), (1, 0));
        assert_eq!(rows[1].skipped, ["order websocket"]);
    }
}

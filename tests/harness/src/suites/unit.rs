//! Unit tests and shared vectors: `cargo test` of the whole workspace, the lint of manifests
//! included.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::project::Project;
use crate::report::{Row, Skipped};
use crate::{rust, step};

pub const NAME: &str = "unit";

/// The requirement of an ignored test: a person runs it by hand.
const IGNORED: &str = "ignored";

pub fn run(project: &Project) -> Result<Vec<Row>> {
    let mut command = Command::new("cargo");
    command.args(["test", "--workspace"]).current_dir(project.root());
    count(project, rust::lint(&mut command), Row::new(NAME, None))
}

/// Runs this `cargo test` and counts its tests.
pub fn count(project: &Project, command: &mut Command, row: Row) -> Result<Vec<Row>> {
    let log = project.log(&row.suite);
    // Without `--quiet`: the terse output does not name the ignored tests.
    command.arg("--no-fail-fast").env("RUST_BACKTRACE", "0");
    let status = step::status(&row.suite, command, &log)?;
    let mut row = counts(row, &fs::read_to_string(&log)?);
    if !status.success() {
        eprintln!("{}", step::excerpt(&log));
        // A crate that does not compile has no tests, so count a failure.
        row.failed = row.failed.max(1);
    }
    Ok(vec![row])
}

fn counts(mut row: Row, output: &str) -> Row {
    for line in output.lines() {
        if let Some(counts) = line.strip_prefix("test result: ") {
            row.passed += number(counts, " passed");
            row.failed += number(counts, " failed");
        } else if let Some(test) = line.strip_prefix("test ")
            && let Some((name, _)) = test.split_once(" ... ignored")
        {
            row.skipped.push(Skipped { test: name.to_owned(), requirement: IGNORED.to_owned() });
        }
    }
    row
}

fn number(counts: &str, what: &str) -> usize {
    counts
        .split([';', '.'])
        .find_map(|part| part.trim().strip_suffix(what)?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_what_the_crates_report() {
        let output = "\
running 3 tests
test offset::tests::sorts_as_text ... ok
test offset::tests::slow ... ignored, takes a minute
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";
        let row = counts(Row::new(NAME, None), output);
        assert_eq!((row.passed, row.failed), (12, 2));
        assert_eq!(row.skipped[0].test, "offset::tests::slow");
    }
}

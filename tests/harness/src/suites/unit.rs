//! Unit tests and shared vectors: `cargo test` of the whole workspace, the lint of manifests included.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::project::Project;
use crate::report::Row;
use crate::step;

pub const NAME: &str = "unit";

pub fn run(project: &Project) -> Result<Vec<Row>> {
    let log = project.log(NAME);
    let mut command = Command::new("cargo");
    // Not quiet: the terse output does not name the tests that are ignored.
    command.args(["test", "--workspace", "--no-fail-fast"]).env("RUST_BACKTRACE", "0").current_dir(project.root());
    let status = step::status(NAME, &mut command, &log)?;
    let mut row = counts(&fs::read_to_string(&log)?);
    if !status.success() {
        eprintln!("{}", step::excerpt(&log));
        // A crate that does not compile has no tests to count.
        row.failed = row.failed.max(1);
    }
    Ok(vec![row])
}

fn counts(output: &str) -> Row {
    let mut row = Row::new(NAME);
    for line in output.lines() {
        if let Some(counts) = line.strip_prefix("test result: ") {
            row.passed += count(counts, " passed");
            row.failed += count(counts, " failed");
        } else if let Some(test) = line.strip_prefix("test ")
            && let Some((name, _)) = test.split_once(" ... ignored")
        {
            row.skipped.push(name.to_owned());
        }
    }
    row
}

fn count(counts: &str, what: &str) -> usize {
    counts.split([';', '.']).find_map(|part| part.trim().strip_suffix(what)?.parse().ok()).unwrap_or(0)
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
        let row = counts(output);
        assert_eq!((row.passed, row.failed), (12, 2));
        assert_eq!(row.skipped, ["offset::tests::slow"]);
    }
}

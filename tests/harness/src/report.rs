//! The results of the suites, as a matrix of suites and platforms, and one last line.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;

use crate::platform::Platform;
use crate::signal;

/// The result of one suite on one platform.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub suite: String,
    /// `None` for suites that run on this machine, without a platform.
    pub platform: Option<Platform>,
    pub passed: usize,
    pub failed: usize,
    pub skipped: Vec<Skipped>,
}

/// A test that did not run.
#[derive(Clone, Debug, PartialEq)]
pub struct Skipped {
    pub test: String,
    /// The missing requirement.
    pub requirement: String,
}

impl Row {
    pub fn new(suite: impl Into<String>, platform: Option<Platform>) -> Self {
        Self { suite: suite.into(), platform, ..Self::default() }
    }

    /// A suite that could not run counts as one failed test.
    pub fn could_not_run(suite: impl Into<String>, platform: Option<Platform>) -> Self {
        Self { failed: 1, ..Self::new(suite, platform) }
    }

    /// Counts one test: an error is a failed test. Returns an error only after an interruption.
    pub fn count(&mut self, outcome: Result<()>) -> Result<()> {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(error) if error.is::<signal::Interrupted>() => return Err(error),
            Err(error) => {
                eprintln!("{error:#}");
                self.failed += 1;
            }
        }
        Ok(())
    }

    /// The number of skipped tests, by the missing requirement.
    pub fn wants(&self) -> BTreeMap<&str, usize> {
        let mut wants = BTreeMap::new();
        for Skipped { requirement, .. } in &self.skipped {
            *wants.entry(requirement.as_str()).or_default() += 1;
        }
        wants
    }
}

/// The name of the column of a suite in the matrix.
pub fn place(platform: Option<Platform>) -> String {
    platform.map_or_else(|| "machine".to_owned(), |platform| platform.to_string())
}

/// All results of a run.
#[derive(Default)]
pub struct Report {
    pub rows: Vec<Row>,
}

impl Report {
    pub fn is_green(&self) -> bool {
        self.sum(|row| row.failed) == 0
    }

    fn sum(&self, count: impl Fn(&Row) -> usize) -> usize {
        self.rows.iter().map(count).sum()
    }

    /// `passed/failed/skipped` of a suite at a place.
    fn cell(&self, suite: &str, platform: Option<Platform>) -> String {
        match self.rows.iter().find(|row| row.suite == suite && row.platform == platform) {
            Some(Row { passed, failed, skipped, .. }) => {
                format!("{passed}/{failed}/{}", skipped.len())
            }
            None => "-".to_owned(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            for (requirement, tests) in row.wants() {
                writeln!(
                    f,
                    "skipped: {tests} of {} on {}: {requirement}",
                    row.suite,
                    place(row.platform)
                )?;
            }
        }
        let places = [None, Some(Platform::Workers), Some(Platform::Spin)];
        let mut suites: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !suites.contains(&row.suite.as_str()) {
                suites.push(&row.suite);
            }
        }
        write!(f, "{:<28}", "passed/failed/skipped")?;
        for platform in places {
            write!(f, " {:>12}", place(platform))?;
        }
        writeln!(f)?;
        for suite in suites {
            write!(f, "{suite:<28}")?;
            for platform in places {
                write!(f, " {:>12}", self.cell(suite, platform))?;
            }
            writeln!(f)?;
        }
        let (passed, failed) = (self.sum(|row| row.passed), self.sum(|row| row.failed));
        write!(f, "{passed} passed, {failed} failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_a_line_and_the_last_line_sums_up() {
        let skipped =
            vec![Skipped { test: "a frame".to_owned(), requirement: "websocket".to_owned() }];
        let rows = vec![
            Row { passed: 3, ..Row::new("order", Some(Platform::Workers)) },
            Row { passed: 2, skipped, ..Row::new("order", Some(Platform::Spin)) },
            Row::could_not_run("unit", None),
        ];
        let report = Report { rows };
        let text = report.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "skipped: 1 of order on spin: websocket");
        assert_eq!(
            lines[2].split_whitespace().collect::<Vec<_>>(),
            ["order", "-", "3/0/0", "2/0/1"]
        );
        assert_eq!(lines[3].split_whitespace().collect::<Vec<_>>(), ["unit", "0/1/0", "-", "-"]);
        assert_eq!(lines.last(), Some(&"5 passed, 1 failed"));
        assert!(!report.is_green());
    }
}

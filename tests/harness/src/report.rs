//! What the suites found, as a table and one last line.

use std::fmt;

/// The result of one suite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub suite: String,
    pub passed: usize,
    pub failed: usize,
    /// Names of the tests that did not run.
    pub skipped: Vec<String>,
}

impl Row {
    pub fn new(suite: impl Into<String>) -> Self {
        Self { suite: suite.into(), ..Self::default() }
    }

    /// A suite that could not run counts as one failed test.
    pub fn could_not_run(suite: impl Into<String>) -> Self {
        Self { failed: 1, ..Self::new(suite) }
    }
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
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            for test in &row.skipped {
                writeln!(f, "skipped: {}: {test}", row.suite)?;
            }
        }
        writeln!(f, "{:<28} {:>7} {:>7} {:>7}", "suite", "passed", "failed", "skipped")?;
        for row in &self.rows {
            let Row { suite, passed, failed, skipped } = row;
            writeln!(f, "{suite:<28} {passed:>7} {failed:>7} {:>7}", skipped.len())?;
        }
        let (passed, failed) = (self.sum(|row| row.passed), self.sum(|row| row.failed));
        write!(f, "{passed} passed, {failed} failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_sums_up_and_skipped_tests_are_named() {
        let report = Report { rows: vec![Row { passed: 3, skipped: vec!["a dull test".to_owned()], ..Row::new("unit") }, Row::could_not_run("browser")] };
        let text = report.to_string();
        assert!(text.starts_with("skipped: unit: a dull test\n"), "{text}");
        assert_eq!(text.lines().last(), Some("3 passed, 1 failed"));
        assert!(!report.is_green());
    }
}

//! `cargo harness test`: all suites in order, and one table at the end.

use anyhow::{Result, bail};
use clap::Args;

use crate::project::Project;
use crate::report::{Report, Row};
use crate::suites::{deploy, leftovers, node, unit};
use crate::{node as npm, setup, signal, step, workers};

#[derive(Args)]
pub struct Test {
    /// Run only this suite: `unit`, `deploy`, `up`, or the stem of a file under tests/. May be repeated.
    #[arg(long = "suite", value_name = "NAME")]
    pub suites: Vec<String>,
    /// Run the black-box suites against this server; nothing is built.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
}

/// Runs the suites. Says whether all tests passed.
pub fn run(project: &Project, test: &Test) -> Result<bool> {
    let plan = Plan::new(project, test)?;
    let mut report = Report::default();
    report.attempt("setup", || set_up(project, &plan))?;
    if plan.unit {
        report.attempt(unit::NAME, || unit::run(project))?;
    }
    if plan.needs_build() {
        report.attempt("build", || build(project))?;
    }
    if plan.deploy {
        report.attempt(deploy::NAME, || deploy::run(project))?;
    }
    if plan.up {
        report.attempt(leftovers::NAME, || leftovers::run(project))?;
    }
    if let Some(suites) = &plan.node {
        report.attempt("node", || node::run(project, suites, test.base_url.as_deref()))?;
    }
    println!("\n{report}");
    Ok(report.is_green())
}

/// What is to run.
struct Plan {
    unit: bool,
    deploy: bool,
    up: bool,
    /// Files of the suites on Node; empty means all of them.
    node: Option<Vec<std::path::PathBuf>>,
    is_local: bool,
}

impl Plan {
    fn new(project: &Project, test: &Test) -> Result<Self> {
        let is_local = test.base_url.is_none();
        let runs = |name| is_local && (test.suites.is_empty() || test.suites.iter().any(|suite| suite == name));
        let files = node::list(project)?;
        let mut node = Vec::new();
        for suite in &test.suites {
            match files.get(suite) {
                Some(file) => node.push(file.clone()),
                None if is_local && [unit::NAME, deploy::NAME, leftovers::NAME].contains(&suite.as_str()) => {}
                None => {
                    let names: Vec<&str> = files.keys().map(String::as_str).collect();
                    bail!("there is no suite {suite} to run here; there are: {}", names.join(", "));
                }
            }
        }
        Ok(Self {
            unit: runs(unit::NAME),
            deploy: runs(deploy::NAME),
            up: runs(leftovers::NAME),
            node: (test.suites.is_empty() || !node.is_empty()).then_some(node),
            is_local,
        })
    }

    /// `up` and `deploy` build by themselves, as wrangler's configuration says.
    fn needs_build(&self) -> bool {
        self.is_local && self.node.is_some()
    }
}

fn set_up(project: &Project, plan: &Plan) -> Result<Vec<Row>> {
    if !plan.is_local {
        npm::ensure_packages(project)?;
    } else if plan.deploy || plan.up || plan.node.is_some() {
        setup::ensure(project)?;
    }
    if plan.node.is_some() {
        setup::require_chromium()?;
    }
    Ok(Vec::new())
}

fn build(project: &Project) -> Result<Vec<Row>> {
    step::run("build the Worker", &mut workers::build(project)?, &project.log("build"))?;
    Ok(Vec::new())
}

impl Report {
    /// Adds the rows of this work, or one failure when it could not be done. Only an interrupted
    /// run ends early.
    fn attempt(&mut self, name: &str, work: impl FnOnce() -> Result<Vec<Row>>) -> Result<()> {
        match work() {
            Ok(rows) => self.rows.extend(rows),
            Err(error) if error.is::<signal::Interrupted>() => return Err(error),
            Err(error) => {
                eprintln!("{name}: {error:#}");
                self.rows.push(Row::could_not_run(name));
            }
        }
        Ok(())
    }
}

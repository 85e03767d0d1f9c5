//! `cargo harness test`: runs all suites in order, and prints one matrix at the end.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Result, bail};
use clap::Args;

use crate::budget::{self, Budgets};
use crate::platform::{Choice, Platform, Served, Store};
use crate::project::Project;
use crate::report::{Report, Row};
use crate::spin::{Profile, Runtime};
use crate::suites::{copy, deploy, edit, leftovers, node, spin_host, types, unit};
use crate::{node as npm, redis, setup, signal, skips, spin, step, workers};

/// Suites that are part of the harness; the others are files under tests/.
const OWN: [&str; 7] = [
    unit::NAME,
    types::NAME,
    spin_host::NAME,
    deploy::NAME,
    copy::NAME,
    edit::NAME,
    leftovers::NAME,
];

#[derive(Args)]
pub struct Test {
    /// Run only this suite: `unit`, `types`, `spin-host`, `deploy`, `copy`, `edit`, `up`, or a file
    /// or folder under tests/, such as `conformance/http`, `http` or `client`. May be repeated.
    #[arg(long = "suite", value_name = "NAME")]
    pub suites: Vec<String>,
    /// Platforms to test [default: both; with --base-url: workers].
    #[arg(long, value_enum)]
    pub platform: Option<Choice>,
    /// The program that serves Spin's components in the suites under tests/.
    #[arg(long, value_enum, default_value_t, conflicts_with = "base_url")]
    pub runtime: Served,
    /// Where Spin's components store the channels, in the suites under tests/. Redis is Spin's alone.
    #[arg(long, value_enum, default_value_t, conflicts_with = "base_url")]
    pub store: Store,
    /// Run the black-box suites against this server, without a build.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Token that every request to this server carries as `Authorization: Bearer`. The environment
    /// variable keeps it out of the list of processes.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "TIDEWIRE_TOKEN",
        hide_env_values = true,
        requires = "base_url"
    )]
    pub token: Option<String>,
}

/// Runs the suites. Returns whether all tests passed.
pub fn run(project: &Project, test: &Test) -> Result<bool> {
    let plan = Plan::new(project, test)?;
    let mut report = Report::default();
    report.attempt("setup", || set_up(project, &plan))?;
    // A link for deployment, and a server that starts, use one core at most: they run side by side.
    thread::scope(|scope| {
        let lanes = [
            ("copies", scope.spawn(|| copies(project, &plan))),
            ("releases", scope.spawn(|| release(project, &plan, test))),
        ];
        check(project, &plan, &mut report)?;
        for (name, lane) in lanes {
            let done = lane.join().unwrap_or_else(|_| bail!("the lane of {name} panicked"))?;
            report.rows.extend(done.rows);
        }
        anyhow::Ok(())
    })?;
    if let Some(suites) = &plan.node {
        for &platform in plan.choice.platforms() {
            report.attempt("node", || {
                node::run(
                    project,
                    platform,
                    (test.runtime, test.store),
                    suites,
                    test.base_url.as_deref(),
                    test.token.as_deref(),
                )
            })?;
        }
    }
    // A server that we did not start may lack more features than its platform, so compare skips
    // only for our servers.
    if plan.is_local {
        let skips = check_skips(project, test.runtime, test.store, &report.rows);
        report.attempt("skipped.json", || skips)?;
    }
    println!("\n{}\n\n{report}", step::table());
    Ok(report.is_green())
}

/// What needs no build for deployment.
fn check(project: &Project, plan: &Plan, report: &mut Report) -> Result<()> {
    if plan.runs(unit::NAME) {
        report.attempt(unit::NAME, || unit::run(project))?;
    }
    if plan.runs(types::NAME) {
        report.attempt(types::NAME, || types::run(project))?;
    }
    if plan.runs(spin_host::NAME) && plan.choice.has(Platform::Spin) {
        report.attempt(spin_host::NAME, || spin_host::run(project))?;
    }
    Ok(())
}

/// What works in copies, and builds for development.
fn copies(project: &Project, plan: &Plan) -> Result<Report> {
    let mut report = Report::default();
    if plan.runs(copy::NAME) {
        report.attempt(copy::NAME, || copy::run(project, plan.choice))?;
    }
    if plan.runs(edit::NAME) {
        report.attempt(edit::NAME, || edit::run(project, plan.choice))?;
    }
    Ok(report)
}

/// What is built for deployment, and `up`, which builds into the same folder of the gateway.
fn release(project: &Project, plan: &Plan, test: &Test) -> Result<Report> {
    let mut report = Report::default();
    if plan.needs_build() {
        for &platform in plan.choice.platforms() {
            report.attempt("build", || build(project, platform, test.runtime, test.store))?;
        }
    }
    if plan.runs(deploy::NAME) && plan.choice.has(Platform::Workers) {
        report.attempt(deploy::NAME, || deploy::run(project))?;
    }
    if plan.runs(leftovers::NAME) {
        report.attempt(leftovers::NAME, || leftovers::run(project, plan.choice))?;
    }
    Ok(report)
}

/// The suites that this run includes.
struct Plan {
    choice: Choice,
    /// Those of [`OWN`].
    own: Vec<&'static str>,
    /// Files of the suites in Node; an empty list means all.
    node: Option<Vec<PathBuf>>,
    store: Store,
    is_local: bool,
}

impl Plan {
    fn new(project: &Project, test: &Test) -> Result<Self> {
        let is_local = test.base_url.is_none();
        let choice = test.platform.unwrap_or(match (is_local, test.store) {
            (true, Store::Sqlite) => Choice::Both,
            (true, Store::Redis) => Choice::Spin,
            (false, _) => Choice::Workers,
        });
        let is_redis = test.store == Store::Redis;
        if is_redis && choice != Choice::Spin {
            bail!("only Spin stores channels in Redis: name --platform spin, or none");
        }
        if test.runtime == Served::Spin && choice.has(Platform::Spin) {
            Runtime::real()?;
        }
        if !is_local && choice == Choice::Both {
            bail!("--base-url names one server: name one platform with --platform");
        }
        // The message omits the token, as all output does.
        if test.token.as_ref().is_some_and(|token| {
            token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic())
        }) {
            bail!("a token must have only visible ASCII characters");
        }
        let files = node::list(project)?;
        let mut node = Vec::new();
        for suite in &test.suites {
            let before = node.len();
            node.extend(
                files
                    .iter()
                    .filter(|(name, _)| node::is_meant(name, suite))
                    .map(|(_, file)| file.clone()),
            );
            if node.len() == before && !(is_local && !is_redis && OWN.contains(&suite.as_str())) {
                let names: Vec<&str> = files.keys().map(String::as_str).collect();
                bail!(
                    "{suite} is not a suite that can run here; choose one of: {}",
                    names.join(", ")
                );
            }
        }
        let is_named =
            |name: &&str| test.suites.is_empty() || test.suites.iter().any(|suite| suite == name);
        Ok(Self {
            choice,
            // They build by themselves, and for SQLite.
            own: OWN.into_iter().filter(|name| is_local && !is_redis && is_named(name)).collect(),
            store: test.store,
            node: (test.suites.is_empty() || !node.is_empty()).then_some(node),
            is_local,
        })
    }

    fn runs(&self, name: &str) -> bool {
        self.own.contains(&name)
    }

    /// Whether to build first. `up`, `edit`, `deploy` and `copy` build by themselves, as the
    /// manifests say.
    fn needs_build(&self) -> bool {
        self.is_local && self.node.is_some()
    }
}

fn set_up(project: &Project, plan: &Plan) -> Result<Vec<Row>> {
    let runs_functions = plan.node.is_some()
        || plan.own.iter().any(|name| ![unit::NAME, types::NAME].contains(name));
    if plan.is_local && runs_functions {
        setup::ensure(project, plan.choice)?;
    }
    // The packages contain the Node that runs the suites, so install them in any case.
    if plan.runs(types::NAME) || plan.runs(copy::NAME) || plan.node.is_some() {
        npm::ensure_packages(project)?;
    }
    if plan.node.is_some() {
        setup::require_chromium()?;
    }
    let runs_host = plan.runs(spin_host::NAME) && plan.choice.has(Platform::Spin);
    if runs_host || plan.store == Store::Redis {
        setup::require_redis()?;
    }
    Ok(Vec::new())
}

fn build(project: &Project, platform: Platform, runtime: Served, store: Store) -> Result<Vec<Row>> {
    match (platform, store) {
        (Platform::Workers, _) => {
            step::run("build the Worker", &mut workers::build(project)?, &project.log("build"))?;
            workers::copy_build(project)?;
            Ok(Vec::new())
        }
        (Platform::Spin, Store::Sqlite) => {
            step::run(
                "build the Spin components",
                &mut spin::build(project, Profile::Release),
                &project.log("build-spin"),
            )?;
            compile(project, runtime, &project.root().join("spin.toml"))?;
            Ok(vec![component_sizes(project)?])
        }
        (Platform::Spin, Store::Redis) => {
            redis::build(project)?;
            compile(project, runtime, &redis::manifest(project)?)?;
            Ok(Vec::new())
        }
    }
}

/// Compiles the components of this manifest, if our host serves them.
fn compile(project: &Project, runtime: Served, manifest: &Path) -> Result<()> {
    if runtime == Served::Host {
        Runtime::OurHost.ensure(project)?;
        let mut command = spin::compile(project, &spin::host(project), manifest);
        step::run("compile them for the host", &mut command, &project.log("compile"))?;
    }
    Ok(())
}

/// The sizes of Spin's components; `deploy` measures the Workers.
fn component_sizes(project: &Project) -> Result<Row> {
    let mut row = Row::new(budget::NAME, Some(Platform::Spin));
    let budgets = Budgets::read(project, Platform::Spin)?;
    for package in spin::PACKAGES {
        let component = spin::component(project, package);
        row.count(budgets.check(package, Platform::Spin, &[component]))?;
    }
    Ok(row)
}

fn check_skips(project: &Project, runtime: Served, store: Store, rows: &[Row]) -> Result<Vec<Row>> {
    let differences = skips::differences(&skips::read(project, runtime, store)?, rows);
    if !differences.is_empty() {
        bail!("\n{}", differences.join("\n"));
    }
    Ok(Vec::new())
}

impl Report {
    /// Adds the rows of a suite, or one failure if the suite could not run. Only an interruption
    /// ends the run early.
    fn attempt(&mut self, name: &str, work: impl FnOnce() -> Result<Vec<Row>>) -> Result<()> {
        match work() {
            Ok(rows) => self.rows.extend(rows),
            Err(error) if error.is::<signal::Interrupted>() => return Err(error),
            Err(error) => {
                eprintln!("{name}: {error:#}");
                self.rows.push(Row::could_not_run(name, None));
            }
        }
        Ok(())
    }
}

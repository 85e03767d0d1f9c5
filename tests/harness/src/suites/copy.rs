//! Copies of every template, made by `cargo harness new` and by hand: they build, their scripts
//! run, and they pass their own tests.

use std::cell::RefCell;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::copy::template::Template;
use crate::copy::tree;
use crate::group::Group;
use crate::node::Packages;
use crate::platform::{Choice, Platform};
use crate::project::Project;
use crate::report::Row;
use crate::rust::TARGETS;
use crate::spin::{self, Runtime};
use crate::{step, workers};

pub const NAME: &str = "copy";

/// The beginning of the line that node prints for a test that passed.
const PASSED: &str = "✔";
/// The development profile of copies. The copy made by hand has no profile; without this variable
/// cargo would build all dependencies once more. CI sets it for all builds.
const PROFILE: (&str, &str) = ("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");

pub fn run(project: &Project, choice: Choice) -> Result<Vec<Row>> {
    let place = Place::new(project)?;
    let mut rows: Vec<Row> =
        choice.platforms().iter().map(|&platform| Row::new(NAME, Some(platform))).collect();
    let templates = Template::all(project)?;
    for template in &templates {
        test(&place, template, choice, &mut rows)?;
    }
    build_variants(&place, &templates, choice, &mut rows)?;
    build_by_hand(&place, &templates, choice, &mut rows)?;
    Ok(rows)
}

/// Makes a copy, and runs its tests on each platform.
fn test(place: &Place, template: &Template, choice: Choice, rows: &mut [Row]) -> Result<()> {
    let start = Instant::now();
    let copy = place.make(&template.name, None)?;
    let made = start.elapsed();
    for (row, &platform) in rows.iter_mut().zip(choice.platforms()) {
        row.count(place.test(&copy, template, platform, made))?;
    }
    Ok(())
}

/// Copies for one platform, and what the workflow of a copy tests.
fn build_variants(
    place: &Place,
    templates: &[Template],
    choice: Choice,
    rows: &mut [Row],
) -> Result<()> {
    for (row, &platform) in rows.iter_mut().zip(choice.platforms()) {
        // Only the first template: all templates omit the same files for one platform, unit tests
        // check the rest, and the suite `deploy` builds every template for deployment.
        if let Some(template) = templates.first() {
            row.count(place.build_of_one_platform(template, platform))?;
            row.count(match platform {
                Platform::Workers => place.deploy(template),
                Platform::Spin => place.test_what_is_deployed(template),
            })?;
        }
    }
    Ok(())
}

/// Builds a copy of every template that a user made without the harness: a folder with
/// `functions/X` and `shared`, and nothing above them. It lies outside the repository, or cargo
/// would find our workspace.
fn build_by_hand(
    place: &Place,
    templates: &[Template],
    choice: Choice,
    rows: &mut [Row],
) -> Result<()> {
    let hand = env::temp_dir().join(format!("tidewire-by-hand-{}", std::process::id()));
    let outcome = place.share_by_hand(&hand).and_then(|()| {
        for (row, &platform) in rows.iter_mut().zip(choice.platforms()) {
            for template in templates {
                row.count(place.build_by_hand(template, platform, &hand))?;
            }
        }
        Ok(())
    });
    fs::remove_dir_all(hand)?;
    outcome
}

/// The folders of the copies, and what they share.
struct Place<'a> {
    project: &'a Project,
    folder: PathBuf,
    /// The target folder of the root, so that cargo builds the dependencies once for everything.
    /// cargo identifies a crate by its path in its workspace: those of a copy are others.
    target: PathBuf,
    /// The vendored crates of the copy that was made last.
    newest: RefCell<Option<PathBuf>>,
}

impl<'a> Place<'a> {
    fn new(project: &'a Project) -> Result<Self> {
        let (folder, target) = (project.output().join("copy"), project.target());
        let place = Self { project, folder, target, newest: RefCell::default() };
        if place.folder.exists() {
            fs::remove_dir_all(&place.folder)?;
        }
        fs::create_dir_all(place.programs())?;
        fs::create_dir_all(&place.target)?;
        if matches!(Runtime::here(), Runtime::OurHost) {
            place.put_host()?;
        }
        Ok(place)
    }

    /// The folder of programs for these tests.
    fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// Without Spin, the name `spin` leads to our host, for the commands that the scripts and the
    /// workflow of a copy use.
    fn put_host(&self) -> Result<()> {
        let program = self.programs().join("spin");
        let host = spin::host(self.project);
        let script = format!(
            "#!/bin/sh\n\
             case \"$*\" in\n\
             'up --build --profile debug --listen '*) profile='--profile debug'; shift 2 ;;\n\
             'up --build --listen '*) profile= ;;\n\
             *) exit 2 ;;\n\
             esac\n\
             exec '{}' --manifest spin.toml --build $profile --listen \"$4\" --state \"$6\"\n",
            host.display()
        );
        fs::write(&program, script)?;
        Ok(fs::set_permissions(program, fs::Permissions::from_mode(0o755))?)
    }

    /// Runs the command that a user types, then `npm install`. Without `platform` the copy is for
    /// both.
    fn make(&self, template: &str, platform: Option<Platform>) -> Result<PathBuf> {
        let name = platform.map_or_else(
            || format!("my-{template}"),
            |platform| format!("my-{template}-{platform}"),
        );
        let copy = self.folder.join(&name);
        let mut command = Command::new("cargo");
        command.args(["harness", "new", template]).arg(&copy).current_dir(self.project.root());
        if let Some(platform) = platform {
            command.args(["--platform", &platform.to_string()]);
        }
        step::run(&format!("new {name}"), &mut command, &self.log(&name, "new"))?;
        symlink(&self.target, copy.join("target"))?;
        self.age_vendored(&copy)?;
        if platform != Some(Platform::Spin) {
            self.install(&copy)?;
        }
        Ok(copy)
    }

    /// Gives each vendored file the time of its equal in the copy before, so that cargo does not
    /// compile the same crates for each copy.
    fn age_vendored(&self, copy: &Path) -> Result<()> {
        let vendored = copy.join("vendor");
        let Some(before) = self.newest.replace(Some(vendored.clone())) else { return Ok(()) };
        for (path, bytes) in tree::read(&before, &[])? {
            let new = vendored.join(&path);
            if fs::read(&new).is_ok_and(|its| its == bytes) {
                let modified = fs::metadata(before.join(&path))?.modified()?;
                File::options().write(true).open(new)?.set_modified(modified)?;
            }
        }
        Ok(())
    }

    /// Links wrangler, the only package that a copy names, instead of installing it from the
    /// network: the version is the same.
    fn install(&self, copy: &Path) -> Result<()> {
        let modules = copy.join("node_modules");
        fs::create_dir_all(modules.join(".bin"))?;
        symlink(self.project.tests().join("node_modules/wrangler"), modules.join("wrangler"))?;
        Ok(symlink(Packages::of(self.project).wrangler(), modules.join(".bin/wrangler"))?)
    }

    /// The copy of this template for both platforms, once it was [made](Place::make).
    fn copy(&self, template: &Template) -> PathBuf {
        self.folder.join(format!("my-{}", template.name))
    }

    /// Runs `npm test`, which starts the server. Prints the time from `new` to the first event that
    /// the test read.
    fn test(
        &self,
        copy: &Path,
        template: &Template,
        platform: Platform,
        made: Duration,
    ) -> Result<()> {
        let state = if self.target.join(triple(platform)).exists() { "warm" } else { "cold" };
        let script = match platform {
            Platform::Workers => "test",
            Platform::Spin => "test:spin",
        };
        let name = format!("{script} of my-{}", template.name);
        let log = self.log(&template.name, &format!("test-{platform}"));
        let start = Instant::now();
        let spinner = step::spinner(&name);
        let mut group = Group::spawn(step::output_to(&mut self.npm(copy, script)?, &log)?)?;
        // The log is read while the test runs: the time of the first event is that of its first line,
        // not that of its end.
        let mut first = None;
        let status = group.wait(|| {
            step::show_last_line(&spinner, &log);
            if first.is_none()
                && fs::read_to_string(&log).is_ok_and(|output| output.contains(PASSED))
            {
                first = Some(start.elapsed());
            }
        })?;
        spinner.finish_and_clear();
        step::done(&name, start.elapsed());
        if !status.success() {
            bail!("{name} failed ({status}):\n{}", step::excerpt(&log));
        }
        let first = first.or_else(|| {
            fs::read_to_string(&log)
                .is_ok_and(|output| output.contains(PASSED))
                .then(|| start.elapsed())
        });
        let first =
            first.with_context(|| format!("{name} ran no test:\n{}", step::excerpt(&log)))?;
        step::done(
            &format!("first event of my-{} on {platform}, {state}", template.name),
            made + first,
        );
        Ok(())
    }

    fn deploy(&self, template: &Template) -> Result<()> {
        let copy = self.copy(template);
        let name = format!("deploy --dry-run of my-{}", template.name);
        let mut command = self.npm(&copy, "deploy")?;
        command
            .args(["--", "--dry-run", "--outdir"])
            .arg(self.folder.join("deploy").join(&template.name));
        step::run(&name, &mut command, &self.log(&template.name, "deploy"))
    }

    /// A copy for one platform contains everything that this platform needs.
    fn build_of_one_platform(&self, template: &Template, platform: Platform) -> Result<()> {
        let copy = self.make(&template.name, Some(platform))?;
        let mut command = build(platform);
        command.arg("--locked").current_dir(&copy);
        let name = format!("build of my-{}-{platform}", template.name);
        step::run(&name, &mut command, &self.log(&template.name, &format!("one-{platform}")))
    }

    /// Tests the component that is deployed, as the workflow of a copy does. On Workers the suites
    /// of the gateway test that build.
    fn test_what_is_deployed(&self, template: &Template) -> Result<()> {
        let copy = self.copy(template);
        let mut command = Command::new(Packages::of(self.project).node());
        command
            .args(["tests/server.mjs", "spin", "up", "--build"])
            .current_dir(copy)
            .env("PATH", self.path()?);
        step::run(
            &format!("release test of my-{} on spin", template.name),
            &mut command,
            &self.log(&template.name, "test-release"),
        )
    }

    /// What all copies by hand have: `shared`, which is built once for all of them.
    fn share_by_hand(&self, hand: &Path) -> Result<()> {
        tree::write(&tree::read(&self.project.root().join("shared"), &[])?, &hand.join("shared"))?;
        Ok(symlink(&self.target, hand.join("target"))?)
    }

    /// Puts `functions/X` beside it as the only function, and builds it.
    fn build_by_hand(&self, template: &Template, platform: Platform, hand: &Path) -> Result<()> {
        let functions = hand.join("functions");
        if functions.exists() {
            fs::remove_dir_all(&functions)?;
        }
        let function = functions.join(&template.name);
        tree::write(&tree::read(&template.folder, &[])?, &function)?;
        // Users have the network and do not need this file.
        fs::copy(self.project.root().join("Cargo.lock"), function.join("Cargo.lock"))?;
        let mut command = build(platform);
        // The target folder in which `spin.toml` looks for the component.
        command.args(["--target-dir", "../../target"]).current_dir(function);
        if env::var_os(PROFILE.0).is_none() {
            command.env(PROFILE.0, PROFILE.1);
        }
        let name = format!("build of {} by hand on {platform}", template.name);
        let log = self.log(&template.name, &format!("hand-{platform}"));
        step::run(&name, &mut command, &log)
    }

    fn npm(&self, copy: &Path, script: &str) -> Result<Command> {
        let mut command = workers::npm(self.project)?;
        command.args(["run", script]).current_dir(copy).env("PATH", self.path()?);
        Ok(command)
    }

    /// PATH that begins with the programs of these tests.
    fn path(&self) -> Result<OsString> {
        let mut folders = vec![self.programs()];
        folders.extend(env::split_paths(&workers::path(self.project)?));
        Ok(env::join_paths(folders)?)
    }

    fn log(&self, template: &str, what: &str) -> PathBuf {
        self.project.log(&format!("copy-{template}-{what}"))
    }
}

fn build(platform: Platform) -> Command {
    let mut command = Command::new("cargo");
    command.args(["build", "--offline", "--target", triple(platform)]);
    command
}

fn triple(platform: Platform) -> &'static str {
    let [workers, spin] = TARGETS;
    match platform {
        Platform::Workers => workers,
        Platform::Spin => spin,
    }
}

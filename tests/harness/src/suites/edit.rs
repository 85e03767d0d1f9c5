//! The daily loop: the suite edits a source while servers run. The servers must soon serve the
//! change, and must not build a second time.
//!
//! The suite works in a copy of this tree, so that no edit changes this one.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::copy::tree;
use crate::group::Group;
use crate::platform::{Choice, Platform};
use crate::project::Project;
use crate::report::Row;
use crate::spin::Runtime;
use crate::{port, signal, step, up, workers};

pub const NAME: &str = "edit";

/// For how long no build may start after a server has served a change.
const QUIET: Duration = Duration::from_secs(20);
/// Time for a build of everything on a busy machine.
const SOON: Duration = Duration::from_secs(10 * 60);
const ASK: Duration = Duration::from_millis(50);
/// The line that wrangler prints before each build except the first.
const REBUILD: &str = "restarting build";
/// The function that the suite edits.
const FUNCTION: &str = "feed";

pub fn run(project: &Project, choice: Choice) -> Result<Vec<Row>> {
    let start = Instant::now();
    let mut rows = Vec::new();
    for &platform in choice.platforms() {
        let mut row = Row::new(NAME, Some(platform));
        let place = Place::new(project, platform)?;
        row.count(match platform {
            Platform::Workers => place.under_wrangler(),
            Platform::Spin => place.under_spin(),
        })?;
        rows.push(row);
    }
    step::done(NAME, start.elapsed());
    Ok(rows)
}

/// A change of a source that a server's answer shows.
struct Edit {
    name: &'static str,
    /// Path of the source, relative to the folder of the function.
    file: &'static str,
    old: &'static str,
    new: &'static str,
    /// Path of the answer that shows it, below the function.
    path: &'static str,
}

/// The changes; each can be made once.
const EDITS: [Edit; 3] = [
    Edit {
        name: "page",
        file: "public/feed.css",
        old: "",
        new: "/* edited */\n",
        path: "-/feed.css",
    },
    Edit {
        name: "lib.rs",
        file: "src/lib.rs",
        old: "path: \"-/feed.js\"",
        new: "path: \"-/edited.js\"",
        path: "-/edited.js",
    },
    Edit {
        name: "shared/core",
        file: "../../shared/core/src/request/assets.rs",
        old: "path: \"-/inspector.css\"",
        new: "path: \"-/inspector-edited.css\"",
        path: "-/inspector-edited.css",
    },
];
/// Makes one change, and waits for all servers at once.
const LAST: Edit = Edit {
    name: "lib.rs",
    file: "src/lib.rs",
    old: "path: \"-/edited.js\"",
    new: "path: \"-/edited-again.js\"",
    path: "-/edited-again.js",
};

impl Edit {
    /// Makes the change, in the tree or in a copy.
    fn make(&self, function: &Path) -> Result<()> {
        let vendored = function.join(self.file.replace("../../shared", "vendor"));
        let file = if vendored.exists() { vendored } else { function.join(self.file) };
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        ensure!(text.contains(self.old), "{} holds no `{}` to edit", file.display(), self.old);
        Ok(fs::write(file, text.replacen(self.old, self.new, 1))?)
    }

    /// Whether the function at this address serves the change.
    fn shows(&self, function: &str) -> bool {
        let Ok(mut answer) = up::agent().get(format!("{function}/{}", self.path)).call() else {
            return false;
        };
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        answer.status().is_success()
            && (!self.file.ends_with(".css") || text.contains(self.new.trim()))
    }
}

struct Place<'a> {
    project: &'a Project,
    folder: PathBuf,
    /// A copy of this repository.
    tree: PathBuf,
}

impl<'a> Place<'a> {
    fn new(project: &'a Project, platform: Platform) -> Result<Self> {
        let folder = project.output().join(format!("edit-{platform}"));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let place = Self { project, tree: folder.join("tree"), folder };
        tree::write(&tree::read(project.root(), &[])?, &place.tree)?;
        symlink(project.target(), place.tree.join("target"))?;
        fs::write(place.compiler(), "#!/bin/sh\nexec \"$@\"\n")?;
        fs::set_permissions(place.compiler(), fs::Permissions::from_mode(0o755))?;
        Ok(place)
    }

    /// Calls the compiler. cargo identifies a crate by its path in its workspace and by this program
    /// (`RUSTC_WORKSPACE_WRAPPER`): without it, the root would get the crates of the edited tree,
    /// with which it shares a target folder.
    fn compiler(&self) -> PathBuf {
        self.folder.join("rustc")
    }

    fn function(&self) -> PathBuf {
        self.tree.join("functions").join(FUNCTION)
    }

    fn under_wrangler(&self) -> Result<()> {
        // One server without others beside it, for the times.
        let mut servers = vec![self.wrangler("root", &self.tree, FUNCTION)?];
        for edit in &EDITS {
            edit.make(&self.function())?;
            let time = wait_until(&mut servers, |server| edit.shows(&server.url))?;
            step::done(&format!("{} edited to served on workers", edit.name), time);
        }
        // Then add a second server of the same tree, a server of the function alone, and a server
        // of a copy.
        servers.push(self.wrangler("root-again", &self.tree, FUNCTION)?);
        servers.push(self.wrangler("function", &self.function(), "")?);
        let copy = self.copy()?;
        servers.push(self.wrangler("copy", &copy, "")?);
        EDITS[1].make(&copy)?;
        wait_until(&mut servers, |server| EDITS[1].shows(&server.url))?;
        for function in [&self.function(), &copy] {
            LAST.make(function)?;
        }
        wait_until(&mut servers, |server| LAST.shows(&server.url))?;
        signal::wait_or_interrupted(QUIET)?;
        for (server, edits) in servers.iter_mut().zip([EDITS.len() + 1, 1, 1, 2]) {
            let log = fs::read_to_string(&server.log)?;
            let rebuilds = log.matches(REBUILD).count();
            ensure!(
                rebuilds == edits,
                "{}: {edits} edits made {rebuilds} builds:\n{}",
                server.name,
                step::excerpt(&server.log)
            );
            server.group.stop()?;
        }
        Ok(())
    }

    fn wrangler(&self, name: &'static str, folder: &Path, path: &str) -> Result<Server> {
        let port = port::claim(0)?;
        let mut command =
            workers::dev(self.project, folder, port, &self.folder.join("state").join(name), &[])?;
        let mut server = self.start(name, &mut command, port, path)?;
        wait_until(std::slice::from_mut(&mut server), Server::answers)?;
        Ok(server)
    }

    /// Makes a copy, with a link to wrangler, the only package that it names.
    fn copy(&self) -> Result<PathBuf> {
        let copy = self.folder.join("my-feed");
        let mut command = Command::new("cargo");
        command
            .args(["harness", "new", FUNCTION])
            .arg(&copy)
            .args(["--platform", "workers"])
            .current_dir(self.project.root());
        step::run("new my-feed", &mut command, &self.project.log("edit-new"))?;
        symlink(self.project.target(), copy.join("target"))?;
        Ok(copy)
    }

    /// Builds, and starts Spin again, as `spin watch` does.
    fn under_spin(&self) -> Result<()> {
        let function = self.function();
        drop(self.spin(Server::answers)?);
        for edit in &EDITS {
            edit.make(&function)?;
            let (time, server) = self.spin(|server| edit.shows(&server.url))?;
            step::done(&format!("{} edited to served on spin", edit.name), time);
            drop(server);
        }
        Ok(())
    }

    /// Builds, starts, and waits until the server serves the change.
    fn spin(&self, is_served: impl Fn(&Server) -> bool) -> Result<(Duration, Server)> {
        let port = port::claim(0)?;
        let start = Instant::now();
        let manifest = self.function().join("spin.toml");
        let mut command =
            Runtime::here().develop(self.project, &manifest, port, &self.folder.join("state"));
        let mut server = self.start("spin", &mut command, port, "")?;
        wait_until(std::slice::from_mut(&mut server), is_served)?;
        Ok((start.elapsed(), server))
    }

    fn start(
        &self,
        name: &'static str,
        command: &mut Command,
        port: u16,
        path: &str,
    ) -> Result<Server> {
        let log = self.project.log(&format!("edit-{name}"));
        // A user's builds are incremental; those of CI are not.
        command.env_remove("CARGO_INCREMENTAL").env("RUSTC_WORKSPACE_WRAPPER", self.compiler());
        let group = Group::spawn(step::output_to(command, &log)?)?;
        let url = format!("http://127.0.0.1:{port}/{path}").trim_end_matches('/').to_owned();
        Ok(Server { name, group, url, log })
    }
}

struct Server {
    name: &'static str,
    group: Group,
    /// The address of the function.
    url: String,
    log: PathBuf,
}

impl Server {
    fn answers(&self) -> bool {
        up::agent()
            .get(format!("{}/{}", self.url, EDITS[0].path))
            .call()
            .is_ok_and(|answer| answer.status().is_success())
    }
}

/// Waits until the condition holds for each of them, and returns the time that it took.
fn wait_until(servers: &mut [Server], is_so: impl Fn(&Server) -> bool) -> Result<Duration> {
    let start = Instant::now();
    for server in servers {
        while !is_so(server) {
            if let Some(status) = server.group.try_wait()? {
                bail!(
                    "{} ended by itself ({status}):\n{}",
                    server.name,
                    step::excerpt(&server.log)
                );
            }
            ensure!(
                start.elapsed() < SOON,
                "{} does not serve what was edited:\n{}",
                server.name,
                step::excerpt(&server.log)
            );
            signal::wait_or_interrupted(ASK)?;
        }
    }
    Ok(start.elapsed())
}

//! `cargo harness setup`: installs everything that a run needs, into ignored folders.

use std::fs::{self, File};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::lock::Lock;
use crate::platform::{Choice, Platform};
use crate::project::Project;
use crate::spin::Runtime;
use crate::tool::TOOLS;
use crate::{node, optimizer, program, rust, tool};

/// Names that the program of Chromium has on different machines.
pub const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The same browser without a screen and notifications. Where it is installed, the suites that need
/// neither take half of the processor.
pub const HEADLESS_SHELL: &str = "chromium-headless-shell";

/// The server that the tests of the Spin host start, and the suites on Redis.
pub const REDIS: &str = "redis-server";

/// What to do where it is missing.
pub const WITHOUT_REDIS: &str =
    "redis-server is missing: install it, for example `apt-get install redis-server`";

/// Installs what is missing for building and running functions on these platforms. Quick when
/// nothing is missing.
pub fn ensure(project: &Project, choice: Choice) -> Result<()> {
    // Two runs at once would install into the same folders. The second run waits, and then finds
    // everything installed.
    fs::create_dir_all(project.output())?;
    let turn = File::create(project.output().join("setup.lock"))?;
    turn.lock().context("cannot take turns with another setup")?;

    // Run both at once: rustup and npm wait for the network, what is compiled needs the processor.
    thread::scope(|scope| {
        let downloads = scope.spawn(|| download(project, choice));
        let compiled = compile(project, choice);
        downloads.join().unwrap_or_else(|_| bail!("the thread of the downloads panicked"))?;
        compiled
    })?;
    if choice.has(Platform::Workers) {
        optimizer::ensure(project)?;
    }
    Ok(())
}

fn download(project: &Project, choice: Choice) -> Result<()> {
    rust::ensure_targets(project, choice)?;
    if choice.has(Platform::Workers) {
        node::ensure_packages(project)?;
    }
    Ok(())
}

fn compile(project: &Project, choice: Choice) -> Result<()> {
    if choice.has(Platform::Workers) {
        let lock = Lock::read(project)?;
        TOOLS.into_iter().try_for_each(|tool| tool.ensure(project, &lock))?;
        tool::clean(project)?;
    }
    if choice.has(Platform::Spin) {
        Runtime::here().ensure(project)?;
    }
    Ok(())
}

/// Fails, and says what to install, if no browser for the suites of the pages is installed.
pub fn require_chromium() -> Result<()> {
    if program::find(&CHROMIUM).is_none() {
        bail!("chromium is missing: install it, for example `apt-get install chromium`");
    }
    Ok(())
}

/// Fails, and says what to install, if no Redis is installed.
pub fn require_redis() -> Result<()> {
    if program::find(&[REDIS]).is_none() {
        bail!("{WITHOUT_REDIS}");
    }
    Ok(())
}

//! `cargo harness setup`: everything that a run needs, installed into ignored folders.

use std::fs::{self, File};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::lock::Lock;
use crate::platform::{Choice, Platform};
use crate::project::Project;
use crate::spin::Runtime;
use crate::tool::TOOLS;
use crate::{node, optimizer, program, rust};

/// Names under which machines have Chromium.
pub const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Installs what is missing for building and running functions on these platforms. Quick when
/// nothing is.
pub fn ensure(project: &Project, choice: Choice) -> Result<()> {
    // Two runs at once would install into the same folders; the second waits and then finds all.
    fs::create_dir_all(project.output())?;
    let turn = File::create(project.output().join("setup.lock"))?;
    turn.lock().context("cannot take turns with another setup")?;

    rust::ensure_targets(project)?;
    if choice.has(Platform::Workers) {
        // npm waits for the network, the tools for the processor.
        thread::scope(|scope| {
            let packages = scope.spawn(|| node::ensure_packages(project));
            let tools = ensure_tools(project);
            packages.join().unwrap_or_else(|_| bail!("npm's thread panicked")).and(tools)
        })?;
        optimizer::ensure(project)?;
    }
    if choice.has(Platform::Spin) {
        Runtime::here().ensure(project)?;
    }
    Ok(())
}

fn ensure_tools(project: &Project) -> Result<()> {
    let lock = Lock::read(project)?;
    TOOLS.into_iter().try_for_each(|tool| tool.ensure(project, &lock))
}

/// Says what to install when there is no browser for the suites of the pages.
pub fn require_chromium() -> Result<()> {
    if program::find(&CHROMIUM).is_none() {
        bail!("chromium is missing: install it, for example `apt-get install chromium`");
    }
    Ok(())
}

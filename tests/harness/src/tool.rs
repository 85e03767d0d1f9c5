//! Build tools written in Rust. `setup` installs them under `target/tools` in the versions of the
//! lock file.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::lock::Lock;
use crate::project::Project;
use crate::{program, step};

/// A tool whose version must match a crate of the lock file.
pub struct Tool {
    pub binary: &'static str,
    package: &'static str,
    /// The crate whose version the tool must have.
    follows: &'static str,
    options: &'static [&'static str],
    /// The crates that do the work. They are optimised and all others are not: a tool takes a
    /// minute to build and a second to run, and what two tools share is built once.
    optimized: &'static [&'static str],
}

const QUICK: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_STRIP", "debuginfo"),
];

/// It is released together with `worker`, in the same version.
pub const WORKER_BUILD: Tool = Tool {
    binary: "worker-build",
    package: "worker-build",
    follows: "worker",
    options: &[],
    optimized: &[],
};

/// Without its test runner, which needs crates for downloads.
const NO_TLS: &[&str] = &["--no-default-features"];

/// It reads data that the crate wrote into the module, and refuses that of another version. It runs
/// after each edit: for a module of 20 MB it takes 3.7 s without optimisation, and about 1 s with.
pub const WASM_BINDGEN: Tool = Tool {
    binary: "wasm-bindgen",
    package: "wasm-bindgen-cli",
    follows: "wasm-bindgen",
    options: NO_TLS,
    optimized: &[
        "gimli",
        "id-arena",
        "rustc-demangle",
        "walrus",
        "wasm-bindgen-cli-support",
        "wasm-encoder",
        "wasmparser",
    ],
};

pub const TOOLS: [&Tool; 2] = [&WORKER_BUILD, &WASM_BINDGEN];

impl Tool {
    pub fn wanted(&self, lock: &Lock) -> Result<String> {
        lock.version(self.follows).map(str::to_owned)
    }

    /// The installed version; `None` if the tool is not installed.
    pub fn installed(&self, project: &Project) -> Option<String> {
        program::version(project.tools().join("bin").join(self.binary))
    }

    /// Installs the version of the lock file, unless it is installed.
    pub fn ensure(&self, project: &Project, lock: &Lock) -> Result<()> {
        let wanted = self.wanted(lock)?;
        if self.installed(project).as_ref() == Some(&wanted) {
            return Ok(());
        }
        let mut command = Command::new("cargo");
        // Without `--locked`: the lock file of a released tool may name a crate that was yanked
        // later.
        command
            .args(["install", "--force", "--root"])
            .arg(project.tools())
            .args([self.package, "--version", &format!("={wanted}"), "--bin", self.binary])
            .args(self.options)
            .args(self.optimized.iter().flat_map(|name| {
                ["--config".to_owned(), format!("profile.release.package.{name}.opt-level=1")]
            }))
            .current_dir(project.root())
            .envs(QUICK)
            // The two tools share most of their dependencies, so let them share a target folder.
            .env("CARGO_TARGET_DIR", target(project));
        step::run(
            &format!("install {} {wanted}", self.package),
            &mut command,
            &project.log(self.binary),
        )
    }
}

fn target(project: &Project) -> PathBuf {
    project.target().join("tools-build")
}

/// Deletes what the builds of the tools left: 0.8 GB that nothing needs again.
pub fn clean(project: &Project) -> Result<()> {
    let target = target(project);
    if target.exists() {
        fs::remove_dir_all(target)?;
    }
    Ok(())
}

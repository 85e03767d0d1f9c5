//! The commands of the Workers platform. Their environment keeps them inside the project.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::copy::tree;
use crate::node::{self, Packages};
use crate::optimizer;
use crate::project::Project;
use crate::tool::{WASM_BINDGEN, WORKER_BUILD};

/// With these variables wrangler needs no network and no account, asks no questions, and writes
/// only into the project.
const WRANGLER: [(&str, &str); 6] = [
    ("CI", "1"),
    ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
    ("NO_COLOR", "1"),
    ("WRANGLER_HIDE_BANNER", "true"),
    ("WRANGLER_SEND_ERROR_REPORTS", "false"),
    ("WRANGLER_SEND_METRICS", "false"),
];

/// The option of the compiler that `wrangler.toml` gives a build for deployment.
pub const KEEP_FEATURES: &str = "-Clink-arg=--keep-section=target_features";

/// Builds the gateway's Worker into `functions/gateway/build`, as `wrangler deploy` does.
pub fn build(project: &Project) -> Result<Command> {
    let mut command = command(project, tool(project, WORKER_BUILD.binary))?;
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    command
        .arg("--release")
        .env("RUSTFLAGS", format!("{flags} {KEEP_FEATURES}"))
        .current_dir(project.gateway());
    Ok(command)
}

/// Copies the output of [`build`] to the folder that the suites read: `wrangler dev` builds into the
/// same folder of the gateway, without optimisation.
pub fn copy_build(project: &Project) -> Result<()> {
    let copy = tested_build(project);
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    tree::write(&tree::read(&project.gateway().join("build"), &[])?, &copy)
}

/// The folder of the Worker that the suites run.
pub fn tested_build(project: &Project) -> PathBuf {
    project.output().join("worker")
}

/// Serves the configuration of this folder on this port of the loopback address.
pub fn dev(
    project: &Project,
    folder: &Path,
    port: u16,
    state: &Path,
    variables: &[String],
) -> Result<Command> {
    let mut command = wrangler(project)?;
    command
        .args(["dev", "--local", "--ip", "127.0.0.1", "--port", &port.to_string()])
        .args(["--inspector-port", "0", "--show-interactive-dev-session=false"])
        // The log of a function appears only at this level.
        .args(["--log-level", "log"])
        .arg("--persist-to")
        .arg(state)
        .current_dir(folder);
    for variable in variables {
        // wrangler separates name and value by a colon.
        command.args(["--var", &variable.replacen('=', ":", 1)]);
    }
    Ok(command)
}

/// Does the part of `wrangler deploy` that does not need an account, for the configuration of this
/// folder.
pub fn dry_run(project: &Project, folder: &Path, output: &Path) -> Result<Command> {
    let mut command = wrangler(project)?;
    command.args(["deploy", "--dry-run", "--outdir"]).arg(output).current_dir(folder);
    Ok(command)
}

/// npm, for scripts that call wrangler.
pub fn npm(project: &Project) -> Result<Command> {
    wrangler_environment(project, "npm")
}

fn wrangler(project: &Project) -> Result<Command> {
    let packages = Packages::of(project);
    let mut command = wrangler_environment(project, packages.node())?;
    command.arg(packages.wrangler());
    Ok(command)
}

fn wrangler_environment(project: &Project, program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = command(project, program)?;
    command
        .envs(WRANGLER)
        .env("WRANGLER_LOG_PATH", project.output().join("wrangler"))
        .env("WRANGLER_REGISTRY_PATH", project.output().join("registry"));
    Ok(command)
}

/// Makes a command that finds the project's own tools first.
fn command(project: &Project, program: impl AsRef<OsStr>) -> Result<Command> {
    let packages = Packages::of(project);
    let mut command = Command::new(program);
    command
        .envs([node::compile_cache(project)])
        .env("PATH", path(project)?)
        .env("WASM_BINDGEN_BIN", tool(project, WASM_BINDGEN.binary))
        .env("WASM_OPT_BIN", optimizer::program(project))
        .env("ESBUILD_BIN", packages.program("esbuild"))
        // A build command that runs `cargo install` finds the tools that `setup` installed.
        .env("CARGO_INSTALL_ROOT", project.tools());
    Ok(command)
}

/// PATH that begins with the project's own Node and tools.
pub fn path(project: &Project) -> Result<OsString> {
    let mut folders = vec![project.tools().join("bin")];
    folders.extend(Packages::of(project).node_folder());
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    Ok(env::join_paths(folders)?)
}

fn tool(project: &Project, binary: &str) -> PathBuf {
    project.tools().join("bin").join(binary)
}

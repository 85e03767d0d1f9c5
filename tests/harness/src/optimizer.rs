//! `wasm-opt` with a cache.
//!
//! The npm build of wasm-opt takes most of the time of a build, and a run of the tests builds the
//! same Workers several times. `setup` puts this harness under the name `wasm-opt` into
//! `target/tools/bin`. Under this name the harness answers from earlier results, and runs the real
//! wasm-opt only for a new module.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::node::Packages;
use crate::project::Project;

const NAME: &str = "wasm-opt";
/// Number of results in the cache, of about 1 MB each. The oldest result is removed first.
const KEPT: usize = 16;

/// The program for `WASM_OPT_BIN`.
pub fn program(project: &Project) -> PathBuf {
    project.tools().join("bin").join(NAME)
}

/// Whether this process was started under the name `wasm-opt`.
pub fn is_called() -> bool {
    env::args_os()
        .next()
        .is_some_and(|program| Path::new(&program).file_name() == Some(OsStr::new(NAME)))
}

/// Installs the harness under the name `wasm-opt`.
pub fn ensure(project: &Project) -> Result<()> {
    let program = program(project);
    let harness = env::current_exe()?;
    if fs::read_link(&program).is_ok_and(|target| target == harness) {
        return Ok(());
    }
    if program.symlink_metadata().is_ok() {
        fs::remove_file(&program)?;
    }
    symlink(harness, program).context("cannot put wasm-opt into target/tools/bin")
}

/// Does what `wasm-opt INPUT -o OUTPUT OPTIONS...` does.
pub fn run(project: &Project, arguments: &[OsString]) -> Result<()> {
    let [input, flag, output, options @ ..] = arguments else {
        bail!("wasm-opt supports only INPUT -o OUTPUT OPTIONS here, not {arguments:?}");
    };
    if flag != "-o" {
        bail!("wasm-opt supports only INPUT -o OUTPUT OPTIONS here, not {arguments:?}");
    }
    let packages = Packages::of(project);
    let memory = Memory { folder: project.output().join(NAME) };
    let result = memory.place(&(fs::read(input)?, options, packages.version("binaryen")));
    if !result.exists() {
        let status = Command::new(packages.program(NAME)).args(arguments).status()?;
        if !status.success() {
            bail!("wasm-opt failed ({status})");
        }
        return memory.keep(Path::new(output), &result);
    }
    fs::copy(result, output)?;
    Ok(())
}

struct Memory {
    folder: PathBuf,
}

impl Memory {
    fn place(&self, question: &impl Hash) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        question.hash(&mut hasher);
        self.folder.join(format!("{:016x}.wasm", hasher.finish()))
    }

    fn keep(&self, output: &Path, result: &Path) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        // Rename the file when it is complete, so that no process reads half of it.
        let part = result.with_extension(std::process::id().to_string());
        fs::copy(output, &part)?;
        fs::rename(part, result)?;
        self.forget()
    }

    fn forget(&self) -> Result<()> {
        let mut results = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            results.push((entry.metadata()?.modified()?, entry.path()));
        }
        results.sort();
        for (_, result) in results.iter().rev().skip(KEPT) {
            fs::remove_file(result)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_module_or_another_option_is_another_question() {
        let memory = Memory { folder: PathBuf::new() };
        assert_eq!(memory.place(&("module", "-O")), memory.place(&("module", "-O")));
        assert_ne!(memory.place(&("module", "-O")), memory.place(&("module2", "-O")));
        assert_ne!(memory.place(&("module", "-O")), memory.place(&("module", "-Oz")));
    }

    #[test]
    fn only_the_newest_results_are_kept() {
        let folder = env::temp_dir().join(format!("tidewire-optimizer-{}", std::process::id()));
        let memory = Memory { folder: folder.clone() };
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("output"), "wasm").unwrap();
        let places: Vec<PathBuf> = (0..KEPT + 3).map(|number| memory.place(&number)).collect();
        for place in &places {
            memory.keep(&folder.join("output"), place).unwrap();
            fs::write(folder.join("output"), "wasm").unwrap();
        }
        assert!(places.last().unwrap().exists());
        assert!(!places[0].exists());
        assert!(fs::read_dir(&folder).unwrap().count() <= KEPT + 1);
        fs::remove_dir_all(folder).unwrap();
    }
}

//! The folders of the project.

use std::env;
use std::path::{Path, PathBuf};

/// This checkout.
#[derive(Clone)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The checkout to which this harness belongs.
    pub fn here() -> Self {
        // The variable at run time wins: the value at compile time is wrong in a checkout that was
        // moved together with its `target` folder.
        let folder = env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .filter(|folder| folder.ends_with("tests/harness"));
        let folder = folder.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = folder.ancestors().nth(2);
        Self { root: root.expect("the crate lies in tests/harness").to_path_buf() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of everything that runs in Node: suites, packages, their configuration.
    pub fn tests(&self) -> PathBuf {
        self.root.join("tests")
    }

    /// The folder of all that is built.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// The folder of the build tools, which `setup` installs.
    pub fn tools(&self) -> PathBuf {
        self.target().join("tools")
    }

    /// The folder of the output of runs: logs, results, the state of `up`.
    pub fn output(&self) -> PathBuf {
        self.target().join("harness")
    }

    /// The log of one step or server.
    pub fn log(&self, name: &str) -> PathBuf {
        self.output().join("logs").join(format!("{name}.log"))
    }

    /// The folder into which the gateway's Worker is built.
    pub fn gateway(&self) -> PathBuf {
        self.root.join("functions/gateway")
    }
}

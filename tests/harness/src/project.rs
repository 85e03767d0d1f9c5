//! The folders of the project, all found from its root.

use std::env;
use std::path::{Path, PathBuf};

/// This checkout.
#[derive(Clone)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The checkout that this harness belongs to.
    pub fn here() -> Self {
        // cargo says where it runs; what it said when it compiled is out of date in a checkout that
        // was moved together with its `target` folder.
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

    /// Everything of Node: suites, packages, their configuration.
    pub fn tests(&self) -> PathBuf {
        self.root.join("tests")
    }

    /// Build tools of the project's own, installed by `setup`.
    pub fn tools(&self) -> PathBuf {
        self.root.join("target/tools")
    }

    /// What a run leaves behind: logs, results, the state of `up`.
    pub fn output(&self) -> PathBuf {
        self.root.join("target/harness")
    }

    /// The log of one step or server.
    pub fn log(&self, name: &str) -> PathBuf {
        self.output().join("logs").join(format!("{name}.log"))
    }

    /// Where the gateway's Worker is built.
    pub fn gateway(&self) -> PathBuf {
        self.root.join("functions/gateway")
    }
}

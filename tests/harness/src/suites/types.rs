//! `tsc` over all TypeScript, and over each page with `@ts-check`: one test for each project.

use std::process::Command;

use anyhow::Result;

use crate::node::Packages;
use crate::project::Project;
use crate::report::Row;
use crate::{signal, step};

pub const NAME: &str = "types";

/// Folders with a `tsconfig.json`.
const PROJECTS: [&str; 3] = ["shared/client", "tests", "tests/pages"];

pub fn run(project: &Project) -> Result<Vec<Row>> {
    let packages = Packages::of(project);
    let mut row = Row::new(NAME, None);
    for folder in PROJECTS {
        let mut command = Command::new(packages.node());
        command
            .arg(packages.tsc())
            .args(["--noEmit", "--project"])
            .arg(project.root().join(folder))
            .current_dir(project.tests());
        match step::run(
            &format!("types of {folder}"),
            &mut command,
            &project.log(&format!("types-{}", folder.replace('/', "-"))),
        ) {
            Ok(()) => row.passed += 1,
            Err(error) if error.is::<signal::Interrupted>() => return Err(error),
            Err(error) => {
                eprintln!("{error:#}");
                row.failed += 1;
            }
        }
    }
    Ok(vec![row])
}

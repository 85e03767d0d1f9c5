//! `wrangler deploy --dry-run` for the gateway and for each function: one test each, and one of the
//! size of its upload.

use std::fs;

use anyhow::Result;

use crate::budget::Budgets;
use crate::platform::Platform;
use crate::project::Project;
use crate::report::Row;
use crate::{budget, manifest, step, workers};

pub const NAME: &str = "deploy";

pub fn run(project: &Project) -> Result<Vec<Row>> {
    let mut row = Row::new(NAME, Some(Platform::Workers));
    let mut sizes = Row::new(budget::NAME, Some(Platform::Workers));
    let budgets = Budgets::read(project, Platform::Workers)?;
    for folder in manifest::folders(project)? {
        let name = match folder.file_name() {
            Some(name) if folder != project.root() => name.to_string_lossy().into_owned(),
            _ => "root".to_owned(),
        };
        let output = project.output().join("deploy").join(&name);
        // Names of earlier modules have other hashes: they would be measured as well.
        if output.exists() {
            fs::remove_dir_all(&output)?;
        }
        let mut command = workers::dry_run(project, &folder, &output)?;
        let log = project.log(&format!("deploy-{name}"));
        row.count(step::run(&format!("deploy --dry-run {name}"), &mut command, &log))?;
        sizes.count(
            budget::uploaded(&output)
                .and_then(|files| budgets.check(&name, Platform::Workers, &files)),
        )?;
    }
    Ok(vec![row, sizes])
}

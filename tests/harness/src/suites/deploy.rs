//! `wrangler deploy --dry-run` for the gateway and for each function: one test each.

use anyhow::Result;

use crate::platform::Platform;
use crate::project::Project;
use crate::report::Row;
use crate::{manifest, step, workers};

pub const NAME: &str = "deploy";

pub fn run(project: &Project) -> Result<Vec<Row>> {
    let mut row = Row::new(NAME, Some(Platform::Workers));
    for folder in manifest::folders(project)? {
        let name = match folder.file_name() {
            Some(name) if folder != project.root() => name.to_string_lossy().into_owned(),
            _ => "root".to_owned(),
        };
        let output = project.output().join("deploy").join(&name);
        let mut command = workers::dry_run(project, &folder, &output)?;
        let log = project.log(&format!("deploy-{name}"));
        row.count(step::run(&format!("deploy --dry-run {name}"), &mut command, &log))?;
    }
    Ok(vec![row])
}

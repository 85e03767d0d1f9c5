//! What can be copied: each folder of `functions/` that deploys alone.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::manifest;
use crate::project::Project;

/// One use case.
pub struct Template {
    pub name: String,
    pub folder: PathBuf,
}

impl Template {
    /// All there are, by name. The gateway has no manifest of its own and is none.
    pub fn all(project: &Project) -> Result<Vec<Self>> {
        let folders = manifest::folders(project)?.into_iter().skip(1);
        Ok(folders
            .map(|folder| Self {
                name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                folder,
            })
            .collect())
    }

    /// # Errors
    /// When there is none of this name, with the names there are.
    pub fn find(project: &Project, name: &str) -> Result<Self> {
        let mut templates = Self::all(project)?;
        match templates.iter().position(|template| template.name == name) {
            Some(index) => Ok(templates.swap_remove(index)),
            None => {
                let names: Vec<&str> =
                    templates.iter().map(|template| template.name.as_str()).collect();
                bail!("there is no template {name}; there are: {}", names.join(", "))
            }
        }
    }

    /// The name of its crate, of its Worker and of its Spin application.
    pub fn package(&self) -> String {
        format!("tidewire-{}", self.name)
    }
}

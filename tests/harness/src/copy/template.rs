//! The templates: each folder of `functions/` with a manifest of its own.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::manifest;
use crate::project::Project;

/// One template.
pub struct Template {
    pub name: String,
    pub folder: PathBuf,
}

impl Template {
    /// All templates, sorted by name. The gateway has no manifest of its own, so it is not a
    /// template.
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
    /// When no template has this name; the error lists the names.
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

    /// The name that its crate, its Worker and its Spin application have.
    pub fn package(&self) -> String {
        format!("tidewire-{}", self.name)
    }
}

//! The files of a folder, in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The content of each file, by its path in the folder.
pub type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// Folders that builds and installations write.
const MADE: [&str; 3] = ["build", "node_modules", "target"];

/// Reads the source files. It skips hidden files, the output of builds, and the folders in
/// `left_out`.
pub fn read(folder: &Path, left_out: &[&str]) -> Result<Tree> {
    let mut tree = Tree::new();
    collect(folder, Path::new(""), left_out, &mut tree)?;
    Ok(tree)
}

fn collect(root: &Path, inner: &Path, left_out: &[&str], tree: &mut Tree) -> Result<()> {
    let folder = root.join(inner);
    for entry in
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let entry = entry?;
        let name = entry.file_name();
        let path = inner.join(&name);
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if !entry.file_type()?.is_dir() {
            tree.insert(path, fs::read(entry.path())?);
        } else if !MADE.contains(&&*name) && !left_out.contains(&&*name) {
            collect(root, &path, left_out, tree)?;
        }
    }
    Ok(())
}

/// Writes all files below this folder, and makes the folder.
pub fn write(tree: &Tree, folder: &Path) -> Result<()> {
    for (path, contents) in tree {
        let file = folder.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("cannot make {}", parent.display()))?;
        }
        fs::write(&file, contents).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

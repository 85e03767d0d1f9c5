//! Takes over the messages of the templates for `tests/messages.rs`, which holds `public/*.d.ts` to
//! them.
//!
//! There they derive `ts_rs::TS` as well, so that a template, and a copy of it, has nothing to do
//! with that.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let functions = Path::new("../../functions");
    let out = PathBuf::from(
        env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo gives no OUT_DIR"))?,
    );
    for entry in fs::read_dir(functions)? {
        let template = entry?.path();
        let message = template.join("src/message.rs");
        let (Ok(text), Some(name)) = (fs::read_to_string(&message), template.file_name()) else {
            continue;
        };
        println!("cargo::rerun-if-changed={}", message.display());
        fs::write(out.join(name).with_extension("rs"), with_types(&text))?;
    }
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

/// The same types, of which `ts_rs` knows. What stands before the first item is for a file of its
/// own.
fn with_types(text: &str) -> String {
    let lines =
        text.lines().filter(|line| !line.starts_with("//!")).map(|line| match line.trim() {
            "#[serde(skip_serializing_if = \"Option::is_none\")]" => {
                format!("{line}\n#[ts(optional)]\n")
            }
            _ => format!("{line}\n").replace("#[derive(", "#[derive(ts_rs::TS, "),
        });
    lines.collect()
}

//! Programs of the machine: whether they are installed, and in which version.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The first of these programs that PATH contains.
pub fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}

/// The version that a program prints; `None` if the program is not installed.
pub fn version(program: impl AsRef<OsStr>) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    version_in(text.lines().next()?)
}

fn version_in(line: &str) -> Option<String> {
    line.split_whitespace()
        .map(|word| word.trim_start_matches(['v', '=']))
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_version_in_what_programs_print() {
        for (line, version) in [
            ("0.8.7", "0.8.7"),
            ("wasm-bindgen 0.2.130", "0.2.130"),
            ("cargo 1.95.0 (f2d3ce0bd 2026-03-21)", "1.95.0"),
            ("v22.23.3", "22.23.3"),
            ("wasm-opt version 132 (version_132)", "132"),
            ("Chromium 150.0.1 built on Debian", "150.0.1"),
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64", "7.0.15"),
        ] {
            assert_eq!(version_in(line).as_deref(), Some(version));
        }
        assert_eq!(version_in("no number"), None);
    }
}

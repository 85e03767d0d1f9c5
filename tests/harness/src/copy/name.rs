//! The name of a copy, which its crate, its Worker, its Spin application and component, and its
//! wasm file have.

use std::fmt;

use anyhow::{Result, bail};

use crate::lock::Lock;

/// Longest label of a host name, in bytes: the address of a Worker begins with its name.
const MAX_BYTES: usize = 63;

/// Keywords of Rust, and the crates that come with it.
pub const RESERVED: [&str; 56] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// A name that cargo, Workers and Spin all accept.
pub struct Name(String);

impl Name {
    /// # Errors
    /// When one of them would refuse the name, or when a crate of this lock file has it.
    pub fn parse(text: &str, lock: &Lock) -> Result<Self> {
        if text.len() > MAX_BYTES || !text.split('-').all(is_word) {
            bail!(
                "`{text}` is not a valid name for a copy: choose words of a-z and 0-9, each beginning with a letter, joined by `-`, at most {MAX_BYTES} bytes (the option --name sets it)"
            );
        }
        if RESERVED.contains(&text) {
            bail!("`{text}` is a reserved word: choose another name with --name");
        }
        if lock.has(text) {
            bail!(
                "`{text}` is the name of a crate that copies are built with: choose another with --name"
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as Rust and the wasm file spell it.
    pub fn snake_case(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_word(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
        && word.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> Option<String> {
        let lock = toml::from_str("package = [{ name = \"serde\", version = \"1.0.0\" }]").unwrap();
        Name::parse(name, &lock).err().map(|error| error.to_string())
    }

    #[test]
    fn takes_what_cargo_workers_and_spin_take() {
        for name in ["feed", "my-feed", "feed2", "a"] {
            assert_eq!(refusal(name), None);
        }
    }

    #[test]
    fn refuses_what_one_of_them_refuses_in_one_sentence() {
        for name in [
            "",
            "2feed",
            "my-2",
            "My",
            "my_feed",
            "-feed",
            "feed-",
            "a--b",
            "a b",
            "é",
            "../feed",
            &"a".repeat(64),
        ] {
            assert!(refusal(name).unwrap().contains("is not a valid name for a copy"), "{name}");
        }
        for name in ["fn", "test", "core"] {
            assert!(refusal(name).unwrap().contains("is a reserved word"), "{name}");
        }
        assert!(refusal("serde").unwrap().contains("is the name of a crate"));
    }
}
